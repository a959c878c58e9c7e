import { describe, expect, it } from 'vitest';
import { historyLines, reportHistory } from '../../../src/cli/history.ts';
import { planDryRollback, stoppedNode } from '../../../src/cli/rollback.ts';
import { reportStatus } from '../../../src/cli/status-report.ts';
import { statusLines } from '../../../src/cli/status-text.ts';
import { viewTransactions } from '../../../src/cli/transactions.ts';
import { reportVersions } from '../../../src/cli/versions.ts';
import { versionsLines } from '../../../src/cli/versions-text.ts';
import type { Verdict } from '../../../src/activation/verify-version.ts';
import type { Version } from '../../../src/release.ts';
import { compareVersions } from '../../../src/version.ts';
import { committed, NODE, recordsOf, rolledBack, v } from './ledger.ts';
import { BAD, CHECK, config, facts, INSTALL, NOW, STORY, text, unit, units, UPGRADE } from './story.ts';

describe('history', () => {
  it('lists transactions newest first, with what they took and how long the node was down', () => {
    expect(text(historyLines(NODE, viewTransactions(recordsOf(STORY)), 20))).toMatchInlineSnapshot(`
      "TIME                  ACTION   FROM → TO      OUTCOME      TOOK  DOWN  REASON
      2026-11-20 12:00:20Z  upgrade  2.0.0 → 3.0.0  rolled back  7 s   -     workerd.service exited once
      2026-11-20 12:00:10Z  upgrade  1.0.0 → 2.0.0  committed    9 s   1 s
      2026-11-20 12:00:00Z  install  - → 1.0.0      committed    9 s   -"
    `);
  });

  it('gives the newest transactions and their records in JSON', () => {
    const report = reportHistory(NODE, recordsOf(STORY), 1);
    expect(report).toMatchObject({ schema: 1, node: NODE, transactions: [{ to: '3.0.0', outcome: 'rolled-back' }] });
    expect(report.transactions).toHaveLength(1);
    expect(report.records.map(({ entry }) => entry.kind)[0]).toBe('opened');
    expect(report.records).toHaveLength(rolledBack(BAD).length);
  });

  it('tells no duration over a reboot, where no clock counts through', () => {
    const entries = committed(UPGRADE);
    const [view] = viewTransactions(recordsOf(entries, { 6: 'boot-2' }));
    expect(view).toMatchObject({ outcome: 'committed' });
    expect(view).not.toHaveProperty('duration');
    expect(view).not.toHaveProperty('downtime');
  });
});

describe('status of a host that is not set up yet', () => {
  it('names the directory where a node’s file goes, then what a node without a version takes [S2.37]', () => {
    const none = reportStatus([], units(), config(), compareVersions);
    expect(text(statusLines(none, NOW))).toContain(
      'No node is configured on this host: add a file to /etc/node-updater/nodes.d.',
    );
    const links = { current: undefined, fallback: undefined };
    const report = reportStatus([facts([], { links, check: undefined })], units(), config(), compareVersions);
    expect(text(statusLines(report, NOW))).toMatch(
      /workerd: not installed\.[^]*Next: sudo node-updater (upgrade|check)/,
    );
  });
});

describe('versions', () => {
  it('marks what runs, what a rollback goes to, and what is in quarantine', () => {
    const report = reportVersions(facts(STORY), [v('1.0.0'), v('2.0.0'), v('3.0.0')]);
    expect(report.versions).toMatchObject([
      { version: '3.0.0', staged: true, current: false, quarantine: { cause: 'gate' } },
      { version: '2.0.0', current: true, before: false },
      { version: '1.0.0', current: false, before: true },
    ]);
    expect(text(versionsLines(report))).toContain('To go back: sudo node-updater rollback workerd');
  });

  it('says of each what was read of it, what differs, and what to type, which is no rollback to what is damaged [F070]', () => {
    const differences = [{ path: 'bin/workerd', what: 'content', message: 'has another content' }] as const;
    const verdicts = new Map<Version, Verdict>([
      [v('3.0.0'), { state: 'unverifiable', why: 'there is no listing' }],
      [v('2.0.0'), { state: 'holds', entries: 9, bytes: 9 }],
      [v('1.0.0'), { state: 'damaged', differences, count: 3 }],
    ]);
    const said = text(versionsLines(reportVersions(facts(STORY), [...verdicts.keys()], verdicts)));
    expect(said).toMatchInlineSnapshot(`
      "VERSION  NOTES
      3.0.0    its files cannot be verified: there is no listing, in quarantine, it failed here: workerd.service exited once
      2.0.0    current, every file is what was staged
      1.0.0    committed before, damaged

      1.0.0 is not what was staged:
        bin/workerd has another content
        and 2 more
        → For a clean copy: sudo node-updater versions workerd --restage 1.0.0"
    `);
  });
});

describe('rollback --dry-run', () => {
  it('refuses for a node that its operator stopped, as the rollback would, with exit 1', () => {
    expect(stoppedNode(NODE, units({ 'workerd.service': unit('inactive') }))).toMatchObject({
      code: 'POLICY_NODE_STOPPED',
      exit: 1,
      remedy: expect.stringContaining('sudo systemctl start workerd.service') as string,
    });
  });

  it.each([
    { name: 'runs', view: unit('active') },
    { name: 'has failed: who goes back wants it to run', view: unit('failed') },
    { name: 'rests until its socket wakes it', view: unit('inactive', { triggeredBy: ['workerd.socket'] }) },
  ])('goes on for a node that $name', ({ view }) => {
    expect(stoppedNode(NODE, units({ 'workerd.service': view }))).toBeUndefined();
  });

  it('names the version that was committed before', () => {
    expect(planDryRollback(facts(STORY), [v('1.0.0'), v('2.0.0')], { force: [] })).toMatchObject({
      from: '2.0.0',
      to: '1.0.0',
    });
  });

  it.each([
    {
      name: 'no version was committed before',
      entries: committed(INSTALL),
      current: '1.0.0',
      to: undefined,
      withdrawn: [],
    },
    { name: 'the version is not staged', entries: STORY, current: '2.0.0', to: '0.9.0', withdrawn: [] },
    { name: 'the version was withdrawn', entries: STORY, current: '2.0.0', to: '1.0.0', withdrawn: ['1.0.0'] },
    { name: 'the version is what runs', entries: STORY, current: '2.0.0', to: '2.0.0', withdrawn: [] },
  ])('refuses when $name [F119]', ({ entries, current, to, withdrawn }) => {
    const one = facts(entries, {
      links: { current: v(current), fallback: undefined },
      check: { ...CHECK, withdrawn: withdrawn.map(v) },
    });
    const plan = () =>
      planDryRollback(one, [v('1.0.0'), v('2.0.0')], { force: [], ...(to === undefined ? {} : { to: v(to) }) });
    expect(plan).toThrow(expect.objectContaining({ code: 'POLICY_NO_TARGET' }));
  });
});
