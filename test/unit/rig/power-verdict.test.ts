import { describe, expect, it } from 'vitest';
import type { Links } from '../../../src/activation/links.ts';
import type { Verdict } from '../../../src/activation/verify-version.ts';
import type { Entry } from '../../../src/machine/record.ts';
import type { Working } from '../../../src/machine/state.ts';
import { violationsOf, type Expected, type Seen } from '../../rig/power/verdict.ts';
import { recordsOf, v } from '../machine/support.ts';

const OLD = v('1.0.0');
const NEW = v('2.0.0');
const DROP_IN = '[Unit]\n';
const ORDER: readonly Working[] = [
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

/** The ledger of a node that runs OLD, with an upgrade to NEW that has got as far as the intent of `state`. */
function ledgerAt(state?: Working): Entry[] {
  const installed: Entry[] = [
    { kind: 'opened', transaction: { id: 'a', action: 'install', to: OLD, serial: 7 } },
    { kind: 'ended', tx: 'a', outcome: 'committed' },
  ];
  if (state === undefined) return installed;
  const intents = ORDER.slice(0, ORDER.indexOf(state) + 1).map((each): Entry => ({
    kind: 'intent',
    tx: 'b',
    state: each,
  }));
  return [
    ...installed,
    { kind: 'opened', transaction: { id: 'b', action: 'upgrade', from: OLD, to: NEW } },
    ...intents,
  ];
}

interface Situation {
  readonly at?: Working;
  readonly links?: Partial<Links>;
  readonly booted?: Partial<Links>;
  readonly versions?: Readonly<Record<string, string>>;
  readonly staged?: readonly string[];
  /** What the listing of NEW says. */
  readonly verdict?: Verdict;
  readonly dropIn?: string;
  readonly serial?: number;
}

const HOLDS: Verdict = { state: 'holds', entries: 1, bytes: 1 };
const GONE = { path: 'bin/demod', what: 'gone', message: 'is gone' } as const;
const RIGHT = { [OLD]: 'old tree', [NEW]: 'new tree' };

function seen(situation: Situation): Seen {
  const { at, versions = RIGHT, staged = [OLD, NEW], verdict = HOLDS, dropIn = DROP_IN, serial = 7 } = situation;
  const links: Links = { current: OLD, fallback: undefined, ...situation.links };
  const back: Links = { current: links.fallback ?? links.current, fallback: undefined, ...situation.booted };
  const records = recordsOf(ledgerAt(at));
  const ledger = { value: { records, kept: 0, lines: 0, n: 0, goodBytes: 0, torn: false, last: '' } };
  return {
    disk: {
      links: { value: links },
      versions: new Map(Object.entries(versions)),
      staged: new Set(staged),
      verdicts: new Map([[NEW, verdict]]),
      ledger,
      serial: { value: serial },
      dropIn,
    },
    booted: { value: back },
  };
}

const EXPECTED: Expected = {
  references: new Map(Object.entries(RIGHT)),
  dropIn: DROP_IN,
  floor: undefined,
  promise: { records: 0 },
};

describe('a disk after a power cut is in order', () => {
  const fine: Readonly<Record<string, Situation>> = {
    'at rest': {},
    'while a version is staged': { at: 'stage', versions: { [OLD]: 'old tree' } },
    'with the fallback armed': { at: 'arm', links: { fallback: OLD } },
    'on probation': { at: 'soak', links: { current: NEW, fallback: OLD } },
    'put back, and not settled': { at: 'soak' },
    'committed, and not on record as such': { at: 'commit', links: { current: NEW } },
  };
  it.each(Object.entries(fine))('%s', (_, situation) => {
    expect(violationsOf(seen(situation), EXPECTED)).toEqual([]);
  });
});

describe('the checker of cut disks finds out', () => {
  const wrong: Readonly<Record<string, readonly [Situation, RegExp]>> = {
    'a version whose files are not what was published [I1]': [
      { versions: { ...RIGHT, [NEW]: 'half' } },
      /not what was published/,
    ],
    'a version without its record': [{ staged: [OLD] }, /has no record/],
    'a version without its listing': [{ verdict: { state: 'unverifiable', why: 'none' } }, /cannot be verified: none/],
    'a version that is not what its listing says [F070]': [
      { verdict: { state: 'damaged', differences: [GONE], count: 1 } },
      /not what its listing says: .*bin\/demod/,
    ],
    'a link to what is not there [I1]': [{ versions: { [NEW]: 'new tree' } }, /names 1\.0\.0, which is not there/],
    'a fallback that nothing runs at boot': [{ at: 'arm', links: { fallback: OLD }, dropIn: '' }, /nothing runs it/],
    'a serial that has fallen [I4]': [{ serial: 6 }, /serial 6/],
    'a switch before its intent [I3]': [{ at: 'arm', links: { current: NEW, fallback: OLD } }, /before any intent/],
    'a fallback before its intent': [{ at: 'preflight', links: { fallback: OLD } }, /before any intent/],
    'a candidate without a fallback [I5]': [{ at: 'soak', links: { current: NEW } }, /looks committed/],
    'a fallback after the commit': [{ at: 'clean', links: { current: NEW, fallback: OLD } }, /after the commit/],
    'a link that was not switched although the candidate was started': [
      { at: 'start', links: { fallback: OLD } },
      /not current/,
    ],
    'another version than the committed one at rest': [{ links: { current: NEW } }, /is committed, but/],
    'a boot that does not put back': [
      { at: 'soak', links: { current: NEW, fallback: OLD }, booted: { current: NEW, fallback: OLD } },
      /neither 1\.0\.0 nor a committed/,
    ],
    'an old version that is gone while it may be needed [I5]': [
      { at: 'soak', links: { current: NEW, fallback: OLD }, versions: { [NEW]: 'new tree' } },
      /which 2\.0\.0 is to replace, is not there/,
    ],
  };
  it.each(Object.entries(wrong))('%s', (_, [situation, said]) => {
    expect(violationsOf(seen(situation), EXPECTED).join('\n')).toMatch(said);
  });

  it('records that are gone, and a commit that was reported and is gone [I3]', () => {
    const before = seen({ at: 'soak' }).disk;
    expect(violationsOf(seen({ at: 'arm' }), { ...EXPECTED, floor: before })).toContainEqual(
      expect.stringMatching(/lost records/) as string,
    );
    const promise = { records: 3, current: NEW };
    expect(violationsOf(seen({}), { ...EXPECTED, promise })).toEqual([
      expect.stringMatching(/3 were reported as durable/),
      expect.stringMatching(/2\.0\.0 was reported as committed/),
    ]);
  });

  it('what cannot be read at all', () => {
    const { disk, booted } = seen({});
    for (const part of ['links', 'ledger', 'serial'] as const) {
      const damaged = { ...disk, [part]: { wrong: 'damaged' } };
      expect(violationsOf({ disk: damaged, booted }, EXPECTED)).toContainEqual(
        expect.stringMatching(/damaged/) as string,
      );
    }
    expect(violationsOf({ disk, booted: { wrong: 'damaged' } }, EXPECTED)).toHaveLength(1);
  });
});
