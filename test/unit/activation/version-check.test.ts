import { describe, expect, it } from 'vitest';
import { judgeAnswer, type Asked } from '../../../src/activation/version-check.ts';
import { CODES, EXIT } from '../../../src/errors.ts';
import { findOpen, quarantineFor } from '../../../src/machine/recover.ts';
import type { Entry } from '../../../src/machine/record.ts';
import type { NodeName } from '../../../src/release.ts';
import { recordsOf, v } from '../machine/support.ts';

const ASKED: Asked = {
  program: '/opt/demo/versions/2.0.0/bin/demod',
  expected: v('2.0.0'),
  moment: 'staged',
  probe: { args: ['--version'], pattern: 'demod (\\d+)$' },
  settings: { node: 'demo' as NodeName, file: '/etc/node-updater/nodes.d/demo.toml' },
};
const PATTERN = { kind: 'version-failed', reason: 'pattern', message: 'it printed "demod 2.0.0"' } as const;
const PROGRAM = { kind: 'version-failed', reason: 'program', message: 'ended by SIGILL' } as const;

describe('#judgeAnswer', () => {
  it.each(['2.0.0', 'v2.0.0'])('is content with %s', (version) => {
    expect(judgeAnswer({ kind: 'version', version }, ASKED)).toBeUndefined();
  });

  it.each([
    {
      name: 'a binary that reports another version',
      answer: { kind: 'version', version: '1.9.9' } as const,
      code: 'GATE_VERSION',
      says: '1.9.9',
      remedy: 'publisher',
    },
    {
      name: 'a binary that cannot be run',
      answer: PROGRAM,
      code: 'GATE_BINARY',
      says: 'SIGILL',
      remedy: 'journalctl -u node-updater-probe@demo',
    },
    {
      name: 'a pattern that finds nothing',
      answer: PATTERN,
      code: 'CONFIG_VERSION_PATTERN',
      says: 'it printed "demod 2.0.0"',
      remedy: 'Mend version.pattern in /etc/node-updater/nodes.d/demo.toml',
    },
  ])('has a code, a text and a remedy of its own for $name [F095]', ({ answer, code, says, remedy }) => {
    const problem = judgeAnswer(answer, ASKED);
    expect(problem).toMatchObject({ code });
    expect(problem?.message).toContain(says);
    expect(problem?.remedy).toContain(remedy);
  });

  it('calls a wrong pattern the configuration’s fault, with its exit code', () => {
    expect(CODES[judgeAnswer(PATTERN, ASKED)?.code ?? 'INTERNAL'].exit).toBe(EXIT.configuration);
  });

  it('blames the version when the pattern has found it while it was staged, and finds it no more', () => {
    expect(judgeAnswer(PATTERN, { ...ASKED, moment: 'current' })).toMatchObject({ code: 'GATE_VERSION' });
  });
});

describe('what a version check found, after the switch', () => {
  const quarantineBy = (answer: typeof PATTERN | typeof PROGRAM | { kind: 'version'; version: string }) => {
    const problem = judgeAnswer(answer, ASKED);
    if (problem === undefined) throw new Error('no problem');
    const { code, message, remedy } = problem;
    const entries: Entry[] = [
      { kind: 'opened', transaction: { id: 't', action: 'upgrade', from: v('1.0.0'), to: v('2.0.0') } },
      { kind: 'intent', tx: 't', state: 'activate' },
      { kind: 'intent', tx: 't', state: 'soak' },
      { kind: 'result', tx: 't', state: 'soak', event: 'failed', then: 'yield', failure: { code, message, remedy } },
    ];
    const open = findOpen(recordsOf(entries));
    return open === undefined ? undefined : quarantineFor(open, []);
  };

  it('quarantines for another version and for a binary that does not run, never for a wrong pattern', () => {
    expect(quarantineBy({ kind: 'version', version: '1.9.9' })).toMatchObject({ cause: 'gate' });
    expect(quarantineBy(PROGRAM)).toMatchObject({ cause: 'gate' });
    expect(quarantineBy(PATTERN)).toBeUndefined();
  });
});
