import { expect, it } from 'vitest';
import { exitOfStatus, reportStatus } from '../../../src/cli/status-report.ts';
import { statusLines } from '../../../src/cli/status-text.ts';
import type { Entry } from '../../../src/machine/record.ts';
import { compareVersions } from '../../../src/version.ts';
import { config, facts, NOW, text, unit, units, UPGRADE } from './story.ts';

const failure = { code: 'HOST_MOUNT', message: '/srv is not mounted', remedy: 'Mount it.' } as const;
const HELD: Entry[] = [
  { kind: 'opened', transaction: UPGRADE },
  { kind: 'intent', tx: 't1', state: 'go-back' },
  { kind: 'result', tx: 't1', state: 'go-back', event: 'later', then: 'yield', failure },
];

it('status says of a node that is held down why its data is not whole, and what to type [F102]', () => {
  const report = reportStatus([facts(HELD)], units(), config(), compareVersions);
  expect(text(statusLines(report, NOW))).toContain(
    'workerd: The node is held down until its data is whole: /srv is not mounted\n  → Mount it.',
  );
  expect(exitOfStatus(report)).toBe(4);
});

it('status says nothing of the sort while a run tries it again', () => {
  const busy = units({ 'node-updater@workerd.service': unit('activating') });
  const report = reportStatus([facts(HELD)], busy, config(), compareVersions);
  expect(report.nodes[0]?.problems).toEqual([]);
});
