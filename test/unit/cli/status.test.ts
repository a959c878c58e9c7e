import { describe, expect, it } from 'vitest';
import type { ConfigView } from '../../../src/cli/config-view.ts';
import type { NodeFacts } from '../../../src/cli/facts.ts';
import { exitOfStatus, reportStatus as makeReport } from '../../../src/cli/status-report.ts';
import { compareVersions } from '../../../src/version.ts';
import { statusLines } from '../../../src/cli/status-text.ts';
import type { Units } from '../../../src/cli/units.ts';
import { UpdaterError } from '../../../src/errors.ts';
import type { Entry } from '../../../src/machine/record.ts';
import { committed, NODE, node, v } from './ledger.ts';
import { CHECK, config, facts, NOW, STORY, text, unit, units, UPGRADE } from './story.ts';

const reportStatus = (nodes: readonly NodeFacts[], asked: Units, view: ConfigView) =>
  makeReport(nodes, asked, view, compareVersions);

const status = (one: NodeFacts, asked: Units, view: ConfigView = config()) =>
  text(statusLines(reportStatus([one], asked, view), NOW));

describe('status', () => {
  it('shows a rolled back node on one screen, with the cause, the remedy and the command to type next', () => {
    expect(status(facts(STORY), units())).toMatchInlineSnapshot(`
      "workerd: rolled back. Next run in 43 min.

      NODE     CURRENT  AVAILABLE  STATE        LAST RESULT                   LAST CHECK  NEXT RUN
      workerd  2.0.0    3.0.0      rolled back  3.0.0 rolled back 59 min ago  12 min ago  in 43 min

      workerd: 3.0.0 was not committed (rolled back): workerd.service exited once
        → journalctl -u workerd

      Next: node-updater why"
    `);
  });

  it('warns of what goes out of date soon, and is no failure for it', () => {
    const warning = {
      code: 'TRUST_EXPIRES_SOON',
      message: 'key set 2 expires on 2026-12-01T00:00:00.000Z',
      remedy: 'The publisher must publish key set 3.',
    } as const;
    const warned = facts(STORY, { check: { ...CHECK, warnings: [warning] } });
    expect(status(warned, units())).toContain(
      'Warning: workerd: key set 2 expires on 2026-12-01T00:00:00.000Z\n  → The publisher must publish key set 3.',
    );
    expect(reportStatus([warned], units(), config()).nodes[0]?.warnings).toEqual([warning]);
    expect(exitOfStatus(reportStatus([warned], units(), config()))).toBe(0);
  });

  it('has a stable JSON shape', () => {
    expect(reportStatus([facts(STORY)], units(), config())).toMatchInlineSnapshot(`
      {
        "next": "node-updater why",
        "nodes": [
          {
            "answered": "2026-11-20T12:48:00.000Z",
            "available": "3.0.0",
            "checked": "2026-11-20T12:48:00.000Z",
            "configuration": "good",
            "current": "2.0.0",
            "last": {
              "action": "upgrade",
              "at": "2026-11-20T12:00:27.000Z",
              "failure": {
                "code": "GATE_EXITED",
                "message": "workerd.service exited once",
                "remedy": "journalctl -u workerd",
              },
              "from": "2.0.0",
              "outcome": "rolled-back",
              "to": "3.0.0",
            },
            "nextRun": "2026-11-20T13:43:00.000Z",
            "node": "workerd",
            "problems": [],
            "state": "rolled-back",
            "stateText": "rolled back",
            "unit": {
              "active": "active",
              "sub": "running",
            },
          },
        ],
        "problems": [],
        "schema": 1,
        "systemd": {
          "known": true,
        },
        "timer": {
          "active": true,
          "lastExit": 0,
          "next": "2026-11-20T13:23:00.000Z",
        },
      }
    `);
  });

  const working: readonly Entry[] = [
    { kind: 'opened', transaction: UPGRADE },
    { kind: 'intent', tx: 't1', state: 'activate' },
    { kind: 'intent', tx: 't1', state: 'soak' },
  ];
  const probation = { links: { current: v('2.0.0'), fallback: v('1.0.0') } };

  const rows: readonly { name: string; facts: NodeFacts; units: Units; state: string; says: string }[] = [
    {
      name: 'that runs what was committed',
      facts: facts(committed(UPGRADE)),
      units: units(),
      state: 'committed',
      says: 'committed',
    },
    {
      name: 'whose unit its operator stopped',
      facts: facts(committed(UPGRADE)),
      units: units({ 'workerd.service': unit('inactive') }),
      state: 'committed',
      says: 'committed, unit inactive',
    },
    {
      name: 'in the soak',
      facts: facts(working, probation),
      units: units({
        'node-updater@workerd.service': unit('activating', { status: 'Soaking workerd: 40 of 60 s' }),
      }),
      state: 'on-probation',
      says: '2.0.0 on probation: soaking 40 of 60 s',
    },
    {
      name: 'that fetches',
      facts: facts([working[0] as Entry, { kind: 'intent', tx: 't1', state: 'fetch' }]),
      units: units({ 'node-updater@workerd.service': unit('activating') }),
      state: 'working',
      says: 'upgrade to 2.0.0: fetching',
    },
    {
      name: 'whose updater is gone while it is armed',
      facts: facts(working, probation),
      units: units(),
      state: 'falling-back',
      says: 'falling back to 1.0.0',
    },
    {
      name: 'whose transaction nobody has settled yet',
      facts: facts(working, { links: { current: v('1.0.0'), fallback: undefined } }),
      units: units(),
      state: 'unsettled',
      says: 'upgrade to 2.0.0 cut short',
    },
    {
      name: 'without a version',
      facts: facts([], { links: { current: undefined, fallback: undefined }, check: undefined }),
      units: units(),
      state: 'not-installed',
      says: 'not installed',
    },
    {
      name: 'whose rollback failed too',
      facts: facts([...working, { kind: 'ended', tx: 't1', outcome: 'rollback-failed' }]),
      units: units(),
      state: 'needs-a-person',
      says: 'a person is needed',
    },
  ];
  it.each(rows)('calls a node $name $state', ({ facts: one, units: asked, state, says }) => {
    expect(reportStatus([one], asked, config()).nodes[0]).toMatchObject({ state, stateText: says });
    expect(status(one, asked)).toContain(says);
  });

  it('works when systemd does not answer, and says so', () => {
    const said = status(facts(committed(UPGRADE)), { known: false, why: 'Failed to connect to bus' });
    expect(said).toContain('systemd did not answer (Failed to connect to bus)');
    expect(said).toContain('2.0.0');
  });

  it('says that the timer is off, and how to start it', () => {
    const said = status(facts(committed(UPGRADE)), units({ 'node-updater.timer': unit('inactive') }));
    expect(said).toContain('The timer is off');
    expect(said).toContain('Next: sudo systemctl enable --now node-updater.timer');
  });

  it('says that the last run of the timer found errors that are not seen from here, and where to look', () => {
    const run = units({ 'node-updater.service': unit('failed', { exitStatus: 78 }) });
    expect(status(facts(committed(UPGRADE)), run)).toContain('journalctl -u node-updater.service -n 20');
    expect(status(facts(committed(UPGRADE)), run, config([BROKEN]))).not.toContain('journalctl');
  });

  const BROKEN = {
    code: 'CONFIG_INVALID',
    message: '/etc/node-updater/nodes.d/workerd.toml:3: gate.soak must be a duration.',
    remedy: 'Edit /etc/node-updater/nodes.d/workerd.toml.',
  } as const;
  const good = facts(committed(UPGRADE), { check: undefined });

  it('shows a node whose configuration is broken with the error, its remedy and no next run, and ends with 78', () => {
    const said = status(good, units(), config([BROKEN]));
    expect(said).toContain('committed, configuration broken');
    expect(said).toContain(`workerd: ${BROKEN.message}\n  → ${BROKEN.remedy}`);
    expect(said).toContain('Next: node-updater config --check');
    expect(said).not.toMatch(/in \d+ min/);
    const report = reportStatus([good], units(), config([BROKEN]));
    expect(report.nodes[0]).toMatchObject({ state: 'committed', configuration: 'broken', problems: [BROKEN] });
    expect(exitOfStatus(report)).toBe(78);
  });

  it('lists the other nodes as they are beside one whose configuration is broken', () => {
    const other = { ...good, node: node('other') };
    const nodes = new Map([...config([BROKEN]).nodes, [other.node, { errors: [], interval: 3_600_000 }] as const]);
    const report = reportStatus([good, other], units(), config([], { nodes }));
    expect(report.nodes.map(({ configuration }) => configuration)).toEqual(['broken', 'good']);
    expect(report.nodes[1]).toHaveProperty('nextRun');
    expect(text(statusLines(report, NOW))).toContain('2 nodes, 1 of them committed.');
  });

  it('says what is wrong with a file that is no node’s, and that a broken global file stops all nodes', () => {
    const general = [{ ...BROKEN, message: 'node-updater.toml:1: is not TOML.' }];
    const view = config([], { general, stops: 'all' });
    expect(status(good, units(), view)).toContain('node-updater.toml:1: is not TOML.');
    const report = reportStatus([good], units(), view);
    expect(report).toMatchObject({ problems: general });
    expect(report.nodes[0]).not.toHaveProperty('nextRun');
    expect(exitOfStatus(report)).toBe(78);
  });

  it('ends with 0 for a node that is well or was put back, with 1 for damage, with 4 when a person is needed', () => {
    const damage = new UpdaterError('HOST_LEDGER', 'damaged', { remedy: 'Keep a copy.' });
    const failed = [...working, { kind: 'ended', tx: 't1', outcome: 'rollback-failed' } as const];
    const exit = (one: NodeFacts) => exitOfStatus(reportStatus([one], units(), config()));
    expect(exit(good)).toBe(0);
    expect(exit(facts(STORY))).toBe(0);
    expect(exit(facts(STORY, { problems: [damage] }))).toBe(1);
    expect(exit(facts(failed))).toBe(4);
  });

  it('tells the next run by the node’s own interval: the timer passes by a node that is not due', () => {
    const looked = facts(committed(UPGRADE), { check: { schema: 1, at: NOW - 12 * 60_000 } });
    const daily = config([], { nodes: new Map([[NODE, { errors: [], interval: 86_400_000 }]]) });
    expect(reportStatus([looked], units(), daily).nodes[0]?.nextRun).toBe(
      new Date(NOW - 12 * 60_000 + 86_400_000 - 5 * 60_000).toISOString(),
    );
    expect(status(looked, units(), daily)).toMatch(/in 23 h$/m);
    expect(status(looked, units())).toMatch(/in 43 min$/m);
    const overdue = facts(committed(UPGRADE), { check: { schema: 1, at: NOW - 3_600_000 } });
    expect(status(overdue, units())).toMatch(/in 23 min$/m);
    // The run that lets go of it does not wait for the interval.
    expect(status({ ...looked, held: 'for a restore' }, units(), daily)).not.toMatch(/in 23 h$/m);
  });

  it('shows what the publisher asks of all nodes: minimum and suggested, and a node below the minimum [S1.9][S2.19]', () => {
    const check = { ...CHECK, offered: v('2.5.0'), minimum: v('2.5.0'), suggested: v('3.0.0') };
    const one = facts(committed(UPGRADE), { check });
    expect(reportStatus([one], units(), config()).nodes[0]).toMatchObject({
      available: '2.5.0',
      minimum: '2.5.0',
      suggested: '3.0.0',
      belowMinimum: true,
    });
    const said = status(one, units());
    expect(said).toContain('2.5.0 (suggested: 3.0.0)  2.5.0');
    expect(said).toContain('2.0.0 is below 2.5.0, the minimum that its publisher asks for');
    expect(
      reportStatus([{ ...one, check: { ...check, minimum: v('2.0.0') } }], units(), config()).nodes[0],
    ).not.toHaveProperty('belowMinimum');
  });

  it('calls for a person when systemd cannot put the version before back', () => {
    const stuck = units({ 'node-updater-revert@workerd.service': unit('activating', { sub: 'auto-restart' }) });
    const report = reportStatus([facts(working, probation)], stuck, config());
    expect(report.nodes[0]).toMatchObject({ state: 'needs-a-person', stateText: 'cannot be put back to 1.0.0' });
    expect(exitOfStatus(report)).toBe(4);
    expect(text(statusLines(report, NOW))).toContain('journalctl -u node-updater-revert@workerd.service');
  });

  it('forgets what stopped an earlier transaction while another is under way, and that the node was stopped once it runs', () => {
    const under = [...STORY, ...working.slice(0, 1)];
    expect(status(facts(under), units({ 'node-updater@workerd.service': unit('activating') }))).not.toContain(
      'exited once',
    );
    const failure = { code: 'HOST_NODE_STOPPED', message: 'workerd.service is stopped', remedy: 'Start it.' } as const;
    const ended = [working[0] as Entry, { kind: 'ended', tx: 't1', outcome: 'unchanged', failure } as const];
    expect(status(facts(ended), units())).not.toContain('is stopped');
    expect(status(facts(ended), units({ 'workerd.service': unit('inactive') }))).toContain('is stopped');
  });

  it('says a failure once, also when the last look failed of the same', () => {
    const failure = { code: 'DISK_FULL', message: 'the disk is full', remedy: 'Free space.' } as const;
    const ended = { kind: 'ended', tx: 't1', outcome: 'unchanged', failure } as const;
    const one = facts([working[0] as Entry, ended], { check: { ...CHECK, failure } });
    expect(status(one, units()).split('the disk is full')).toHaveLength(2);
  });

  it('shows a damaged ledger as a state with its remedy', () => {
    const damage = new UpdaterError('HOST_LEDGER', 'The ledger is damaged at line 3', { remedy: 'Keep a copy.' });
    const said = status(facts(committed(UPGRADE), { problems: [damage] }), units());
    expect(said).toContain('damaged at line 3');
    expect(said).toContain('→ Keep a copy.');
  });
});
