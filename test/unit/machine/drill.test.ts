import { describe, expect, it } from 'vitest';
import { describeDrill, drillVersion, unnoticed } from '../../../src/machine/drill.ts';
import { passed } from '../../../src/machine/drill-passed.ts';
import { exitOf } from '../../../src/machine/conclude.ts';
import { failureOf } from '../../../src/machine/run.ts';
import { parseNodeName, parseVersion, type Version } from '../../../src/release.ts';

const exited = { code: 'GATE_EXITED', message: 'demo.service exited', remedy: '' } as const;
const interrupted = { code: 'ACTIVATE_INTERRUPTED', message: 'killed', remedy: '' } as const;
const node = parseNodeName('demo');
if (node === undefined) throw new Error('demo');
const blind = failureOf(unnoticed({ settings: { node } as never }));

describe('a drill', () => {
  it.each([
    ['has passed when the gate found the failing copy out', exited, 0],
    ['has failed when a copy that fails held the whole soak', blind, 1],
    ['has failed when the updater or the host went down in it', interrupted, 1],
    ['has failed when nobody knows why it ended', undefined, 1],
  ])('%s', (_, failure, exit) => {
    expect(passed(failure)).toBe(exit === 0);
    expect(exitOf('rolled-back', failure, 'drill')).toBe(exit);
  });

  it('ends with 4 when the version before is not healthy either', () => {
    expect(exitOf('rollback-failed', exited, 'drill')).toBe(4);
    const transaction = { id: '1', action: 'drill', from: '1' as Version, to: '1-drill' as Version } as const;
    expect(describeDrill(transaction, 'rollback-failed', exited)).toContain('A person is needed');
  });

  it('has a version of its own, which no longest version makes too long', () => {
    expect(drillVersion(parseVersion('1.0.0') as Version)).toBe('1.0.0-drill');
    expect(drillVersion(parseVersion('1'.repeat(64)) as Version)).toHaveLength(64);
  });
});
