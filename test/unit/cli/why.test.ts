import { describe, expect, it } from 'vitest';
import type { ConfigView } from '../../../src/cli/config-view.ts';
import type { NodeFacts } from '../../../src/cli/facts.ts';
import type { Units } from '../../../src/cli/units.ts';
import { whyLines } from '../../../src/cli/why-text.ts';
import { exitOfWhy, reportWhy } from '../../../src/cli/why.ts';
import { UpdaterError } from '../../../src/errors.ts';
import type { CheckState } from '../../../src/machine/state-files.ts';
import { committed, upgrade, v } from './ledger.ts';
import { BAD, CHECK, config, facts, NOW, STORY, text, unit, units, UPGRADE } from './story.ts';

const whyText = (one: NodeFacts, asked: Units = units(), view: ConfigView = config()) =>
  text(whyLines(reportWhy(one, asked, view), NOW));

describe('why', () => {
  it('names every gate, what blocks and when it opens, the quarantine and the last failure', () => {
    expect(whyText(facts(STORY))).toMatchInlineSnapshot(`
      "workerd runs 2.0.0 (rolled back). 3.0.0 is on offer, and blocked by: not-before, quarantine.

        pass   offered     3.0.0 is offered in channel stable
        BLOCK  not-before  its publisher holds it back for now; opens in 2 h, 2026-11-20 15:00:00Z
        BLOCK  quarantine  3.0.0 failed here: workerd.service exited once

      3.0.0 is not tried again by itself; the node was put back 59 min ago. A later version is taken all the same.
        → journalctl -u workerd
        → To try it again: sudo node-updater upgrade workerd --to 3.0.0 --force quarantine

      Last look           12 min ago
      Last answer         12 min ago
      Answer holds until  2026-11-21 13:00:00Z
      Next run            in 43 min

      Next: node-updater history workerd"
    `);
  });

  it('has a stable JSON shape', () => {
    expect(reportWhy(facts(STORY), units(), config())).toMatchInlineSnapshot(`
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
            "message": "3.0.0 failed here: workerd.service exited once",
            "passed": false,
          },
        ],
        "install": false,
        "lastFailure": {
          "at": "2026-11-20T12:00:27.000Z",
          "code": "GATE_EXITED",
          "message": "workerd.service exited once",
          "outcome": "rolled-back",
          "remedy": "journalctl -u workerd",
          "version": "3.0.0",
        },
        "nextRun": "2026-11-20T13:43:00.000Z",
        "node": "workerd",
        "offered": "3.0.0",
        "problems": [],
        "quarantine": [
          {
            "cause": "gate",
            "message": "workerd.service exited once",
            "version": "3.0.0",
          },
        ],
        "schema": 1,
        "state": "rolled-back",
        "stateText": "rolled back",
        "timer": "on",
        "unit": "up",
        "upToDate": false,
      }
    `);
  });

  it('says nothing of a failure that a later transaction has overtaken', () => {
    const again = committed(upgrade('t3', '2.0.0', '3.0.0'));
    expect(reportWhy(facts(STORY), units(), config()).lastFailure).toMatchObject({ version: '3.0.0' });
    expect(reportWhy(facts([...STORY, ...again]), units(), config()).lastFailure).toBeUndefined();
  });

  it('lists in quarantine only what could still come: an older version is not taken anyway', () => {
    const later = facts([...STORY, ...committed(upgrade('t3', '2.0.0', '4.0.0'))], {
      links: { current: v('4.0.0'), fallback: undefined },
    });
    expect(reportWhy(facts(STORY), units(), config()).quarantine).toHaveLength(1);
    expect(reportWhy(later, units(), config()).quarantine).toEqual([]);
  });

  it('sees what this host learnt after the last look: a release that failed since is blocked', () => {
    const gates = [
      { gate: 'offered', passed: true, message: '3.0.0 is offered' },
      { gate: 'quarantine', passed: true, message: 'it has not failed here' },
    ] as const;
    const report = reportWhy(facts(STORY, { check: { ...CHECK, install: true, gates } }), units(), config());
    expect(report).toMatchObject({ install: false, gates: [{ passed: true }, { gate: 'quarantine', passed: false }] });
    expect(text(whyLines(report, NOW))).toContain('blocked by: quarantine');
  });

  it('says that a release is taken by the next run when no gate blocks it', () => {
    const check = {
      ...CHECK,
      install: true,
      gates: [{ gate: 'newer', passed: true, message: '3.0.0 is newer' }] as const,
    };
    expect(whyText(facts([], { check }))).toContain('no gate blocks it: the next run takes it');
  });

  it('says that nothing is known before the first answer, and shows why the look failed', () => {
    const failure = { code: 'SOURCE_UNREACHABLE', message: 'no route to host', remedy: 'Check the network.' } as const;
    const check: CheckState = { schema: 1, at: NOW - 60_000, failure };
    const said = whyText(facts([], { check }));
    expect(said).toContain('not known yet');
    expect(said).toContain('The last look failed (1 min ago): no route to host');
    expect(said).toContain('Last answer  never');
  });
});

describe('why, where there is nothing to do or something to mend', () => {
  const taken = [
    { gate: 'offered', passed: true, message: '3.0.0 is offered in channel stable' },
    { gate: 'newer', passed: true, message: '3.0.0 is newer than 2.0.0' },
    { gate: 'quarantine', passed: true, message: 'it is not in quarantine on this host' },
  ] as const;
  const free: CheckState = { ...CHECK, install: true, gates: taken };

  it('says a failure once', () => {
    expect(whyText(facts(STORY)).split('workerd.service exited once')).toHaveLength(2);
  });

  it.each([
    { name: 'runs what is on offer', offered: '2.0.0' },
    { name: 'runs a later one', offered: '1.9.0' },
  ])('calls a node that $name up to date, and shows no gate that blocks', ({ offered }) => {
    const gates = [
      { gate: 'offered', passed: true, message: `${offered} is offered` },
      { gate: 'newer', passed: false, message: `${offered} is not newer` },
    ] as const;
    const one = facts(committed(UPGRADE), { check: { ...CHECK, offered: v(offered), gates } });
    expect(reportWhy(one, units(), config())).toMatchObject({ upToDate: true, install: false });
    const said = whyText(one);
    expect(said).toContain('Up to date: nothing newer is on offer, nothing to do.');
    expect(said).not.toContain('BLOCK');
    expect(said).not.toContain('Next:');
  });

  it('says that a damaged ledger stops this node, with the remedy, and ends with 1', () => {
    const damage = new UpdaterError('HOST_LEDGER', 'The ledger is damaged at line 3', { remedy: 'mv it away.' });
    const one = facts(committed(UPGRADE), { check: free, problems: [damage] });
    const said = whyText(one);
    expect(said).toContain('No update is taken until this is mended:');
    expect(said).toContain('The ledger is damaged at line 3\n  → mv it away.');
    expect(said).not.toContain('no gate blocks');
    const report = reportWhy(one, units(), config());
    expect(report).toMatchObject({ install: false, problems: [{ code: 'HOST_LEDGER' }] });
    expect(exitOfWhy(report)).toBe(1);
  });

  it('says that a broken configuration stops this node, and ends with 78', () => {
    const broken = {
      code: 'CONFIG_INVALID',
      message: 'workerd.toml:3: gate.soak is wrong',
      remedy: 'Edit it.',
    } as const;
    const one = facts(committed(UPGRADE), { check: free });
    const said = whyText(one, units(), config([broken]));
    expect(said).toContain('workerd.toml:3: gate.soak is wrong\n  → Edit it.');
    expect(said).toContain('Next run            none, until that is mended');
    expect(said).toContain('Next: node-updater config --check');
    expect(exitOfWhy(reportWhy(one, units(), config([broken])))).toBe(78);
  });

  it('never says of a full disk or a dead mirror that the version failed [S1.13]', () => {
    const failure = { code: 'DISK_FULL', message: 'the disk is full', remedy: 'Free space.' } as const;
    const entries = [
      ...committed(UPGRADE),
      { kind: 'opened', transaction: BAD },
      { kind: 'ended', tx: 't2', outcome: 'unchanged', failure },
    ] as const;
    const said = whyText(facts(entries, { check: free }));
    expect(said).toContain('was not committed (the node was not touched): the disk is full');
    expect(said).not.toContain('failed here');
  });

  it('does not say of what its operator rolled back from that it failed', () => {
    const quarantine = { version: v('3.0.0'), cause: 'operator', message: 'its operator rolled back from it' } as const;
    const entries = [
      { kind: 'opened', transaction: { ...upgrade('t3', '3.0.0', '2.0.0'), action: 'rollback' } },
      { kind: 'ended', tx: 't3', outcome: 'committed', quarantine },
    ] as const;
    const said = whyText(facts(entries, { check: free }));
    expect(said).toContain('BLOCK  quarantine  3.0.0 is in quarantine: its operator rolled back from it');
    expect(said).toContain('--to 3.0.0 --force quarantine');
    expect(said).not.toContain('failed here');
  });

  it('says that what is on offer is staged only while the node is stopped, and that a socket lets it rest', () => {
    const one = facts(committed(UPGRADE), { check: free });
    const stopped = units({ 'workerd.service': unit('inactive') });
    expect(reportWhy(one, stopped, config()).unit).toBe('stopped');
    expect(whyText(one, stopped)).toContain('sudo systemctl start workerd.service');
    const resting = units({ 'workerd.service': unit('inactive', { triggeredBy: ['workerd.socket'] }) });
    expect(reportWhy(one, resting, config()).unit).toBe('up');
  });

  it('starts a node that is installed for the first time, whatever its unit does', () => {
    const one = facts([], { links: { current: undefined, fallback: undefined }, check: free });
    const said = whyText(one, units({ 'workerd.service': unit('inactive') }));
    expect(said).toMatch(
      /^workerd is not installed\. 3\.0\.0 is on offer, and no gate blocks it: the next run takes it\.$/m,
    );
    expect(said).not.toContain('systemctl start');
  });

  it('says of a node whose upgrade is under way nothing that was decided before it', () => {
    const under = [
      ...STORY,
      { kind: 'opened', transaction: upgrade('t3', '2.0.0', '4.0.0') },
      { kind: 'intent', tx: 't3', state: 'fetch' },
    ] as const;
    const said = whyText(facts(under), units({ 'node-updater@workerd.service': unit('activating') }));
    expect(said).toContain('(upgrade to 4.0.0: fetching). Nothing else is decided before that has ended.');
    expect(said).not.toContain('BLOCK');
    expect(said).toContain('Next: node-updater status workerd');
  });

  it('does not call a node up to date while its source cannot be asked [S1.10]', () => {
    const failure = { code: 'SOURCE_UNREACHABLE', message: 'no route to host', remedy: 'Check.' } as const;
    const gates = [{ gate: 'newer', passed: false, message: '2.0.0 is what runs' }] as const;
    const check = { ...CHECK, offered: v('2.0.0'), gates, failure };
    const said = whyText(facts(committed(UPGRADE), { check }));
    expect(said).toContain('at the last answer, 12 min ago; since then no look has succeeded');
    expect(said).not.toContain('Up to date');
  });

  it('believes the last look where a damaged ledger tells nothing of quarantines', () => {
    const damage = new UpdaterError('HOST_LEDGER', 'damaged', { remedy: '' });
    const one = facts([], { ledger: { records: [], damage }, problems: [damage] });
    expect(reportWhy(one, units(), config()).gates).toContainEqual(CHECK.gates?.[2]);
  });

  it('does not promise a next run while the timer is off', () => {
    const said = whyText(facts(committed(UPGRADE), { check: free }), units({ 'node-updater.timer': unit('inactive') }));
    expect(said).toContain('but the timer is off');
    expect(said).toContain('Next: sudo systemctl enable --now node-updater.timer');
  });

  it('shows what is suggested to all nodes, and the minimum [S1.9]', () => {
    const check = { ...free, minimum: v('2.5.0'), suggested: v('3.0.0') };
    const said = whyText(facts(committed(UPGRADE), { check }));
    expect(said).toMatch(/Suggested to all +3\.0\.0\nMinimum for all +2\.5\.0/);
  });

  it('warns of what goes out of date soon, below what blocks, and is no failure for it', () => {
    const warning = {
      code: 'TRUST_EXPIRES_SOON',
      message: 'key set 2 expires on 2026-12-01T00:00:00.000Z',
      remedy: 'The publisher must publish key set 3.',
    } as const;
    const report = reportWhy(facts(STORY, { check: { ...CHECK, warnings: [warning] } }), units(), config());
    expect(text(whyLines(report, NOW))).toMatch(
      /BLOCK  not-before[^]*\n\nWarning: key set 2 expires on 2026-12-01T00:00:00.000Z\n  → The publisher must publish key set 3.\n\nLast look/,
    );
    expect(report.warnings).toEqual([warning]);
    expect(exitOfWhy(report)).toBe(0);
  });
});
