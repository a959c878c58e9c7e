import { describe, expect, it } from 'vitest';
import { historyLines, reportHistory } from '../../../src/cli/history.ts';
import { planDryRollback } from '../../../src/cli/rollback.ts';
import { viewTransactions } from '../../../src/cli/transactions.ts';
import { reportVersions, versionsLines } from '../../../src/cli/versions.ts';
import { reportWhy, whyLines } from '../../../src/cli/why.ts';
import type { CheckState } from '../../../src/machine/state-files.ts';
import { committed, NODE, recordsOf, rolledBack, upgrade, v } from './ledger.ts';
import { BAD, CHECK, facts, INSTALL, NOW, STORY, text, units, UPGRADE } from './story.ts';

describe('why', () => {
  it('names every gate, what blocks and when it opens, the quarantine and the last failure', () => {
    expect(text(whyLines(reportWhy(facts(STORY), units()), NOW))).toMatchInlineSnapshot(`
      "workerd runs 2.0.0 (rolled back). 3.0.0 is on offer, and blocked by: not-before, quarantine.

        pass   offered     3.0.0 is offered in channel stable
        BLOCK  not-before  its publisher holds it back for now; opens in 2 h, 2026-11-20 15:00:00Z
        BLOCK  quarantine  it failed here: workerd.service exited once

      In quarantine, until a later version comes or you say otherwise:
        3.0.0  gate  workerd.service exited once
        → A later version is taken all the same. To try one again: node-updater upgrade workerd --to VERSION --force quarantine

      3.0.0 failed here 59 min ago: workerd.service exited once
        → journalctl -u workerd

      Last look           12 min ago
      Last answer         12 min ago
      Answer holds until  2026-11-21 13:00:00Z
      Next run            in 23 min

      Next: node-updater history workerd"
    `);
  });

  it('has a stable JSON shape', () => {
    expect(reportWhy(facts(STORY), units())).toMatchInlineSnapshot(`
      {
        "answered": "2026-11-20T12:48:00.000Z",
        "checked": "2026-11-20T12:48:00.000Z",
        "current": "2.0.0",
        "expires": "2026-11-21T13:00:00.000Z",
        "gates": [
          {
            "gate": "offered",
            "message": "3.0.0 is offered in channel stable",
            "passed": true,
          },
          {
            "gate": "not-before",
            "message": "its publisher holds it back for now",
            "opens": "2026-11-20T15:00:00.000Z",
            "passed": false,
          },
          {
            "gate": "quarantine",
            "message": "it failed here: workerd.service exited once",
            "passed": false,
          },
        ],
        "install": false,
        "lastFailure": {
          "at": "2026-11-20T12:00:27.000Z",
          "code": "GATE_EXITED",
          "message": "workerd.service exited once",
          "remedy": "journalctl -u workerd",
          "version": "3.0.0",
        },
        "nextRun": "2026-11-20T13:23:00.000Z",
        "node": "workerd",
        "offered": "3.0.0",
        "quarantine": [
          {
            "cause": "gate",
            "message": "workerd.service exited once",
            "version": "3.0.0",
          },
        ],
        "schema": 1,
        "state": "rolled back",
      }
    `);
  });

  it('says nothing of a failure after which the same version was committed', () => {
    const again = committed(upgrade('t3', '2.0.0', '3.0.0'));
    expect(reportWhy(facts(STORY), units()).lastFailure).toMatchObject({ version: '3.0.0' });
    expect(reportWhy(facts([...STORY, ...again]), units()).lastFailure).toBeUndefined();
    const other = committed(upgrade('t3', '2.0.0', '4.0.0'));
    expect(reportWhy(facts([...STORY, ...other]), units()).lastFailure).toMatchObject({ version: '3.0.0' });
  });

  it('sees what this host learnt after the last look: a release that failed since is blocked', () => {
    const gates = [
      { gate: 'offered', passed: true, message: '3.0.0 is offered' },
      { gate: 'quarantine', passed: true, message: 'it has not failed here' },
    ] as const;
    const report = reportWhy(facts(STORY, { check: { ...CHECK, install: true, gates } }), units());
    expect(report).toMatchObject({ install: false, gates: [{ passed: true }, { gate: 'quarantine', passed: false }] });
    expect(text(whyLines(report, NOW))).toContain('blocked by: quarantine');
  });

  it('says that a release is taken by the next run when no gate blocks it', () => {
    const check = {
      ...CHECK,
      install: true,
      gates: [{ gate: 'newer', passed: true, message: '3.0.0 is newer' }] as const,
    };
    expect(text(whyLines(reportWhy(facts([], { check }), units()), NOW))).toContain(
      'no gate blocks it: the next run takes it',
    );
  });

  it('says that nothing is known before the first answer, and shows why the look failed', () => {
    const failure = { code: 'SOURCE_UNREACHABLE', message: 'no route to host', remedy: 'Check the network.' } as const;
    const check: CheckState = { schema: 1, at: NOW - 60_000, failure };
    const said = text(whyLines(reportWhy(facts([], { check }), units()), NOW));
    expect(said).toContain('not known yet');
    expect(said).toContain('The last look failed: no route to host');
    expect(said).toContain('Last answer  never');
  });
});

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
});

describe('rollback --dry-run', () => {
  it('names the version that was committed before', () => {
    expect(planDryRollback(facts(STORY), [v('1.0.0'), v('2.0.0')], undefined)).toMatchObject({
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
    const plan = () => planDryRollback(one, [v('1.0.0'), v('2.0.0')], to === undefined ? undefined : v(to));
    expect(plan).toThrow(expect.objectContaining({ code: 'POLICY_NO_TARGET' }));
  });
});
