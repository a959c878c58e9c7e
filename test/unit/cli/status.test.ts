import { describe, expect, it } from 'vitest';
import type { NodeFacts } from '../../../src/cli/facts.ts';
import { reportStatus } from '../../../src/cli/status-report.ts';
import { statusLines } from '../../../src/cli/status-text.ts';
import type { Units } from '../../../src/cli/units.ts';
import { UpdaterError } from '../../../src/errors.ts';
import type { Entry } from '../../../src/machine/record.ts';
import { committed, v } from './ledger.ts';
import { facts, NOW, STORY, text, unit, units, UPGRADE } from './story.ts';

const status = (one: NodeFacts, asked: Units) => text(statusLines(reportStatus([one], asked), NOW));

describe('status', () => {
  it('shows a rolled back node on one screen, with the cause, the remedy and the command to type next', () => {
    expect(status(facts(STORY), units())).toMatchInlineSnapshot(`
      "workerd: rolled back. Next run in 23 min.

      NODE     CURRENT  AVAILABLE  STATE        LAST RESULT                   LAST CHECK  NEXT RUN
      workerd  2.0.0    3.0.0      rolled back  3.0.0 rolled back 59 min ago  12 min ago  in 23 min

      workerd: workerd.service exited once
        → journalctl -u workerd

      Next: node-updater why"
    `);
  });

  it('has a stable JSON shape', () => {
    expect(reportStatus([facts(STORY)], units())).toMatchInlineSnapshot(`
      {
        "next": "node-updater why",
        "nodes": [
          {
            "answered": "2026-11-20T12:48:00.000Z",
            "available": "3.0.0",
            "checked": "2026-11-20T12:48:00.000Z",
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
    expect(reportStatus([one], asked).nodes[0]).toMatchObject({ state, stateText: says });
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
    expect(said).toContain('Next: systemctl enable --now node-updater.timer');
  });

  it('says that the configuration has errors when the last run of the timer ended with 78', () => {
    const said = status(
      facts(committed(UPGRADE)),
      units({ 'node-updater.service': unit('failed', { exitStatus: 78 }) }),
    );
    expect(said).toContain('Next: node-updater config --check');
  });

  it('shows a damaged ledger as a state with its remedy', () => {
    const damage = new UpdaterError('HOST_LEDGER', 'The ledger is damaged at line 3', { remedy: 'Keep a copy.' });
    const said = status(facts(committed(UPGRADE), { problems: [damage] }), units());
    expect(said).toContain('damaged at line 3');
    expect(said).toContain('→ Keep a copy.');
  });
});
