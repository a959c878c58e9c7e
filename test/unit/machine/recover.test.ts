import { describe, expect, it } from 'vitest';
import type { Entry } from '../../../src/machine/record.ts';
import { findOpen, judge, quarantined, quarantineFor } from '../../../src/machine/recover.ts';
import type { Failure, Transaction, Working } from '../../../src/machine/state.ts';
import { recordsOf, v } from './support.ts';

const upgrade: Transaction = { id: 't1', action: 'upgrade', from: v('1'), to: v('2') };
const install: Transaction = { id: 't1', action: 'install', to: v('2') };
const path: Working[] = [
  'fetch',
  'verify',
  'stage',
  'preflight',
  'arm',
  'activate',
  'start',
  'soak',
  'commit',
  'clean',
];

function until(transaction: Transaction, last: Working): Entry[] {
  const states = path.slice(0, path.indexOf(last) + 1);
  return [
    { kind: 'opened', transaction },
    ...states.map((state): Entry => ({ kind: 'intent', tx: transaction.id, state })),
  ];
}

function open(transaction: Transaction, last: Working, extra: readonly Entry[] = []) {
  const found = findOpen(recordsOf([...until(transaction, last), ...extra]));
  if (found === undefined) throw new Error('nothing open');
  return found;
}

const failure = (code: Failure['code']): Failure => ({ code, message: 'because', remedy: 'look' });
const failed = (code: Failure['code'], state: Working = 'soak'): Entry => ({
  kind: 'result',
  tx: 't1',
  state,
  event: 'failed',
  then: 'yield',
  failure: failure(code),
});

describe('#findOpen', () => {
  it('finds nothing in an empty ledger, nor when the last transaction ended', () => {
    expect(findOpen([])).toBeUndefined();
    const ended: Entry = { kind: 'ended', tx: 't1', outcome: 'committed' };
    expect(findOpen(recordsOf([...until(upgrade, 'clean'), ended]))).toBeUndefined();
  });

  it('tells how far the open one came, and what made it yield', () => {
    const found = open(upgrade, 'soak', [failed('GATE_PROBE')]);
    expect(found).toMatchObject({ reached: 'soak', lastEvent: 'failed', failure: { code: 'GATE_PROBE' } });
  });

  it('takes for the cause what led to a restore of the data, not what failed in it', () => {
    const found = open(upgrade, 'soak', [failed('GATE_PROBE'), failed('DISK_FULL', 'go-back')]);
    expect(found.failure?.code).toBe('GATE_PROBE');
  });

  it('is not misled by what settling has added since', () => {
    const stopped: Entry = { kind: 'result', tx: 't1', state: 'soak', event: 'operator', then: 'yield' };
    const settling: Entry[] = [
      { kind: 'intent', tx: 't1', state: 'settle' },
      { kind: 'result', tx: 't1', state: 'settle', event: 'put-back', then: 'gate-old' },
      { kind: 'intent', tx: 't1', state: 'gate-old' },
      { ...failed('GATE_OLD', 'gate-old'), then: 'rollback-failed' } as Entry,
    ];
    const found = open(upgrade, 'soak', [stopped, ...settling]);
    expect(found).toMatchObject({ reached: 'soak', lastEvent: 'operator' });
    expect(found.failure).toBeUndefined();
    expect(quarantineFor(found, [])).toBeUndefined();
  });
});

describe('a cause that could not be recorded at its time', () => {
  const settled = (cause: Failure | undefined): Entry => ({
    kind: 'result',
    tx: 't1',
    state: 'settle',
    event: 'put-back',
    then: 'gate-old',
    ...(cause === undefined ? {} : { failure: cause }),
  });

  it('is what the settling run found, and no interruption that could quarantine the version', () => {
    const before: Entry[] = [
      ...until({ ...upgrade, id: 't0' }, 'soak'),
      { kind: 'ended', tx: 't0', outcome: 'rolled-back', failure: failure('ACTIVATE_INTERRUPTED') },
    ];
    const full = settled(failure('DISK_FULL'));
    const found = open(upgrade, 'soak', [settled(undefined), full]);
    expect(found).toMatchObject({ reached: 'soak', failure: { code: 'DISK_FULL' } });
    expect(quarantineFor(found, recordsOf([...before, ...until(upgrade, 'soak'), full]))).toBeUndefined();
  });

  it('gives way to what the transaction recorded itself', () => {
    const found = open(upgrade, 'soak', [failed('GATE_PROBE'), settled(failure('DISK_FULL'))]);
    expect(found.failure?.code).toBe('GATE_PROBE');
  });
});

describe('#judge', () => {
  it('believes the link `fallback` before anything else', () => {
    for (const last of path) {
      expect(judge(open(upgrade, last), { current: v('2'), fallback: v('1') })).toBe('armed');
    }
  });

  it('takes no link for a commit where it named that version before as well', () => {
    const again = open({ ...upgrade, to: v('1') }, 'soak');
    expect(judge(again, { current: v('1'), fallback: undefined })).toBe('put-back');
  });

  it('calls a transaction untouched that never switched the link', () => {
    expect(judge(open(upgrade, 'arm'), { current: v('1'), fallback: undefined })).toBe('untouched');
  });

  it('calls it committed when the candidate is current and nothing is armed', () => {
    expect(judge(open(upgrade, 'commit'), { current: v('2'), fallback: undefined })).toBe('committed');
  });

  it('calls it put back when the old version is current again', () => {
    for (const last of ['activate', 'start', 'soak', 'commit'] as const) {
      expect(judge(open(upgrade, last), { current: v('1'), fallback: undefined })).toBe('put-back');
    }
  });

  it('withdraws a first installation unless its commit was done', () => {
    expect(judge(open(install, 'soak'), { current: v('2'), fallback: undefined })).toBe('uncommitted');
    expect(judge(open(install, 'activate'), { current: undefined, fallback: undefined })).toBe('uncommitted');
    expect(judge(open(install, 'commit'), { current: v('2'), fallback: undefined })).toBe('uncommitted');
    expect(judge(open(install, 'clean'), { current: v('2'), fallback: undefined })).toBe('committed');
  });

  it('does not withdraw what runs now by the ledger of a first installation that was put back from elsewhere', () => {
    for (const last of path) {
      expect(judge(open(install, last), { current: v('3'), fallback: undefined })).not.toBe('uncommitted');
    }
    expect(judge(open(install, 'soak'), { current: v('3'), fallback: undefined })).toBe('untouched');
  });
});

describe('#judge of a version without a way back', () => {
  const forward: Transaction = { ...upgrade, way: 'forward', backup: 'first' };
  const at = (...states: readonly Working[]): Entry[] => states.map((state) => ({ kind: 'intent', tx: 't1', state }));
  const restored = (state: Working): Entry => ({
    kind: 'result',
    tx: 't1',
    state,
    event: 'ok',
    then: 'gate-old',
    facts: { restored: 'b1' },
  });
  const links = (current: string) => ({ current: v(current), fallback: undefined });

  it.each([
    { name: 'untouched before the node is stopped', last: 'arm', extra: [], current: '1', is: 'untouched' },
    { name: 'put back before the switch', last: 'arm', extra: at('stop', 'backup'), current: '1', is: 'put-back' },
    { name: 'still going forward once it is current', last: 'soak', extra: [], current: '2', is: 'forward' },
    { name: 'committed after its commit', last: 'clean', extra: [], current: '2', is: 'committed' },
    { name: 'still restoring in a restore', last: 'arm', extra: at('restore'), current: '1', is: 'restoring' },
    { name: 'still going back while its data is', last: 'soak', extra: at('go-back'), current: '2', is: 'going-back' },
    {
      name: 'put back once its data is, and the version before is current',
      last: 'soak',
      extra: [...at('go-back'), restored('go-back')],
      current: '1',
      is: 'put-back',
    },
    {
      name: 'going forward once a restore has ended',
      last: 'arm',
      extra: [...at('restore'), restored('restore')],
      current: '2',
      is: 'forward',
    },
  ] as const)('calls it $name', ({ last, extra, current, is }) => {
    expect(judge(open(forward, last, extra), links(current))).toBe(is);
  });

  it('knows the backup that was made for it', () => {
    const made: Entry = {
      kind: 'result',
      tx: 't1',
      state: 'backup',
      event: 'ok',
      then: 'activate',
      facts: { backup: 'b1' },
    };
    expect(open(forward, 'soak', [made])).toMatchObject({ backup: 'b1' });
  });
});

describe('#quarantineFor', () => {
  it('quarantines on evidence about the version alone, with its message', () => {
    const codes = ['GATE_EXITED', 'GATE_NOT_READY', 'GATE_PROBE', 'GATE_VERSION', 'ACTIVATE_START'] as const;
    for (const code of codes) {
      const found = open(upgrade, 'soak', [failed(code)]);
      expect(quarantineFor(found, [])).toEqual({ version: v('2'), cause: 'gate', message: 'because' });
    }
  });

  it('never quarantines for the network, the disk, the bus or a trust failure [S1.13]', () => {
    for (const code of ['SOURCE_UNREACHABLE', 'DISK_FULL', 'HOST_BUS', 'TRUST_DIGEST', 'ACTIVATE_STOP'] as const) {
      expect(quarantineFor(open(upgrade, 'soak', [failed(code)]), [])).toBeUndefined();
    }
  });

  it('never quarantines because an operator stopped the node', () => {
    const stopped: Entry = { kind: 'result', tx: 't1', state: 'soak', event: 'operator', then: 'yield' };
    expect(quarantineFor(open(upgrade, 'soak', [stopped]), [])).toBeUndefined();
  });

  it('never quarantines before the switch: a wrong pattern or a noexec mount is no fault of the version', () => {
    expect(quarantineFor(open(upgrade, 'preflight', [failed('GATE_VERSION', 'preflight')]), [])).toBeUndefined();
  });

  it('does not count an operator’s stop as a second interruption', () => {
    const interrupted: Entry[] = [
      ...until(upgrade, 'soak'),
      { kind: 'ended', tx: 't1', outcome: 'rolled-back', failure: failure('ACTIVATE_INTERRUPTED') },
    ];
    const second = { ...upgrade, id: 't2' };
    const stopped: Entry = { kind: 'result', tx: 't2', state: 'soak', event: 'operator', then: 'yield' };
    const records = recordsOf([...interrupted, ...until(second, 'soak'), stopped]);
    expect(quarantineFor(open(second, 'soak', [stopped]), records)).toBeUndefined();
  });

  it('counts no interruption that came before the switch: the version was not on probation then', () => {
    const early: Entry[] = ['t0', 't1'].flatMap((id): Entry[] => [
      ...until({ ...upgrade, id }, 'preflight'),
      { kind: 'ended', tx: id, outcome: 'unchanged', failure: failure('ACTIVATE_INTERRUPTED') },
    ]);
    const second = { ...upgrade, id: 't2' };
    const records = recordsOf([...early, ...until(second, 'soak')]);
    expect(quarantineFor(open(second, 'soak'), records)).toBeUndefined();
  });

  it('forgives the first interruption and quarantines at the second [F080]', () => {
    const first: Entry[] = [
      ...until(upgrade, 'soak'),
      { kind: 'ended', tx: 't1', outcome: 'rolled-back', failure: failure('ACTIVATE_INTERRUPTED') },
    ];
    const second = { ...upgrade, id: 't2' };
    expect(quarantineFor(open(upgrade, 'soak'), recordsOf(until(upgrade, 'soak')))).toBeUndefined();
    const records = recordsOf([...first, ...until(second, 'soak')]);
    expect(quarantineFor(open(second, 'soak'), records)).toMatchObject({ version: v('2'), cause: 'interrupted' });
  });
});

describe('#quarantined', () => {
  it('holds a version until it is lifted, and no other [P13]', () => {
    const ended = (version: string): Entry => ({
      kind: 'ended',
      tx: version,
      outcome: 'rolled-back',
      quarantine: { version: v(version), cause: 'gate', message: 'crashed' },
    });
    const lifted: Entry = { kind: 'lifted', version: v('2'), request: 'r' };
    expect([...quarantined(recordsOf([ended('2'), ended('3')])).keys()]).toEqual(['2', '3']);
    expect([...quarantined(recordsOf([ended('2'), ended('3'), lifted])).keys()]).toEqual(['3']);
    expect([...quarantined(recordsOf([ended('2'), lifted, ended('2')])).keys()]).toEqual(['2']);
    const opened: Entry = { kind: 'opened', transaction: { ...upgrade, id: 'again' } };
    const committed: Entry = { kind: 'ended', tx: 'again', outcome: 'committed' };
    expect([...quarantined(recordsOf([ended('2'), ended('3'), opened, committed])).keys()]).toEqual(['3']);
  });
});
