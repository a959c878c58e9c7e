import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Artifact, Manifest, Release } from '../../../src/manifest.ts';
import { cohortOf, inRollout } from '../../../src/policy/cohort.ts';
import { decide, describeQuarantine, type Facts, type Wish } from '../../../src/policy/decide.ts';
import type { Digest, NodeName, Version } from '../../../src/release.ts';

const v = (text: string) => text as Version;
const node = 'storagenode' as NodeName;
const now = Date.UTC(2026, 10, 20);
const nobody = '0'.repeat(64);
const everybody = 'f'.repeat(64);

function artifact(change: Partial<Artifact> = {}): Artifact {
  return {
    os: 'linux',
    arch: 'amd64',
    libc: 'gnu',
    url: ['a.tar.zst'],
    size: 1,
    unpackedSize: 1,
    entries: 1,
    sha256: '0'.repeat(64) as Digest,
    signature: 'a.tar.zst.asc',
    ...change,
  };
}

function release(version: string, change: Partial<Release> = {}): Release {
  return {
    version: v(version),
    published: now,
    severity: 'routine',
    epoch: 0,
    rollback: 'safe',
    artifacts: [artifact()],
    ...change,
  };
}

function manifest(change: Partial<Manifest> = {}): Manifest {
  return {
    schema: 1,
    name: 'storagenode',
    channel: 'stable',
    serial: 1,
    published: now,
    expires: now + 1,
    suggested: v('2.0.0'),
    withdrawn: [],
    releases: [release('1.0.0'), release('1.5.0'), release('2.0.0')],
    ...change,
  };
}

const facts: Facts = {
  current: v('1.0.0'),
  arch: 'amd64',
  libc: 'gnu',
  now,
  place: cohortOf('machine', node),
  quarantined: new Map(),
  data: undefined,
  backup: 'none',
};

function blocked(offer: Manifest, change: Partial<Facts> = {}, wish: Wish = { force: [] }): string | undefined {
  return decide(offer, { ...facts, ...change }, wish).gates.find((gate) => !gate.passed)?.gate;
}

describe('#decide', () => {
  it('takes what is suggested when every gate passes, and says so for each of them', () => {
    const decision = decide(manifest(), facts, { force: [] });
    expect(decision).toMatchObject({ install: true, release: { version: '2.0.0' } });
    expect(decision.gates.map((gate) => gate.gate)).toEqual([
      'offered',
      'newer',
      'platform',
      'not-before',
      'rollout',
      'quarantine',
      'epoch',
    ]);
  });

  it('takes it as the first installation where nothing is current', () => {
    expect(decide(manifest(), { ...facts, current: undefined }, { force: [] }).install).toBe(true);
  });

  it('does nothing when what is suggested runs already [P8]', () => {
    expect(blocked(manifest(), { current: v('2.0.0') })).toBe('newer');
  });

  it('never goes down by itself: a lowered suggestion is no order to downgrade, nor is the name of an older version [F120] [S1.27]', () => {
    expect(blocked(manifest({ suggested: v('1.0.0') }), { current: v('2.0.0') })).toBe('newer');
    expect(blocked(manifest(), { current: v('2.0.0') }, { to: v('1.0.0'), force: [] })).toBe('newer');
    const wish: Wish = { to: v('1.0.0'), force: ['downgrade'] };
    expect(blocked(manifest(), { current: v('2.0.0') }, wish)).toBeUndefined();
  });

  it('refuses a withdrawn version, also on request [S1.27]', () => {
    expect(blocked(manifest({ withdrawn: [v('2.0.0')] }))).toBe('offered');
    expect(blocked(manifest({ withdrawn: [v('2.0.0')] }), {}, { to: v('2.0.0'), force: ['quarantine'] })).toBe(
      'offered',
    );
  });

  it('refuses a version that the manifest does not list', () => {
    expect(blocked(manifest(), {}, { to: v('9.9.9'), force: [] })).toBe('offered');
  });

  it('refuses a release without an artifact for this host, and prefers its own libc to a static one [S1.7]', () => {
    expect(blocked(manifest(), { arch: 'arm64' })).toBe('platform');
    const both = [artifact({ libc: 'static' }), artifact()];
    const offer = manifest({ releases: [release('2.0.0', { artifacts: both })] });
    expect(decide(offer, facts, { force: [] }).artifact?.libc).toBe('gnu');
    const alone = manifest({ releases: [release('2.0.0', { artifacts: [artifact({ libc: 'static' })] })] });
    expect(decide(alone, facts, { force: [] }).artifact?.libc).toBe('static');
  });

  it('waits for the time that its publisher set, and says when it opens', () => {
    const offer = manifest({ releases: [release('2.0.0', { notBefore: now + 1 })] });
    expect(decide(offer, facts, { force: [] }).gates.find((gate) => !gate.passed)).toMatchObject({ opens: now + 1 });
    expect(blocked(offer, { now: now + 1 })).toBeUndefined();
    expect(blocked(offer, {}, { to: v('2.0.0'), force: [] })).toBeUndefined();
  });

  it('waits for the rollout, unless the operator asks by name [S1.26]', () => {
    const offer = manifest({ rollout: { version: v('2.0.0'), seed: nobody, cursor: nobody } });
    expect(blocked(offer)).toBe('rollout');
    expect(blocked(offer, {}, { to: v('2.0.0'), force: [] })).toBeUndefined();
    expect(blocked(offer, {}, { force: ['rollout'] })).toBeUndefined();
    expect(blocked(manifest({ rollout: { version: v('2.0.0'), seed: nobody, cursor: everybody } }))).toBeUndefined();
  });

  it('takes a node below the minimum there although the rollout has not reached it [S1.2][S1.52]', () => {
    const rollout = { version: v('2.0.0'), seed: nobody, cursor: nobody };
    const offer = manifest({ minimum: v('1.5.0'), rollout });
    expect(decide(offer, facts, { force: [] })).toMatchObject({ install: true, release: { version: '1.5.0' } });
    expect(blocked(offer, { current: v('1.5.0') })).toBe('rollout');
    const unlisted = manifest({ minimum: v('1.6.0'), rollout });
    expect(decide(unlisted, facts, { force: [] })).toMatchObject({ install: true, release: { version: '2.0.0' } });
  });

  it('ignores a quarantined version until its operator forces it, and takes a later one [P13][S1.13]', () => {
    const quarantined = new Map([[v('2.0.0'), { cause: 'gate', message: 'it crashed' } as const]]);
    expect(blocked(manifest(), { quarantined })).toBe('quarantine');
    expect(blocked(manifest(), { quarantined }, { force: ['quarantine'] })).toBeUndefined();
    const later = manifest({ suggested: v('2.0.1'), releases: [release('2.0.1')] });
    expect(blocked(later, { quarantined })).toBeUndefined();
  });
});

describe('a release that changes the format of the data', () => {
  const raised = (rollback: Release['rollback']) => manifest({ releases: [release('2.0.0', { epoch: 2, rollback })] });
  const data = { epoch: 1, rollback: 'safe' } as const;

  it.each([
    { rollback: 'safe', backup: 'none', gate: undefined, so: 'is taken' },
    { rollback: 'restore-data', backup: 'configured', gate: undefined, so: 'is taken' },
    { rollback: 'restore-data', backup: 'none', gate: 'epoch', so: 'waits for a person' },
    { rollback: 'never', backup: 'configured', gate: 'epoch', so: 'waits for a person' },
    { rollback: 'never', backup: 'none', gate: 'epoch', so: 'waits for a person' },
  ] as const)('$so: its rollback is $rollback, backups are $backup [S2.40]', ({ rollback, backup, gate }) => {
    expect(blocked(raised(rollback), { data, backup })).toBe(gate);
    expect(blocked(raised(rollback), { data, backup }, { force: ['epoch'] })).toBeUndefined();
  });

  it('is not met by an older version, whatever is backed up [S2.40]', () => {
    const newer = { epoch: 3, rollback: 'restore-data' } as const;
    expect(blocked(raised('restore-data'), { data: newer, backup: 'configured' })).toBe('epoch');
  });
});

describe('what a person asked for', () => {
  const quarantined = new Map([[v('2.0.0'), { cause: 'gate', message: 'it crashed' } as const]]);
  const refused = (wish: Omit<Wish, 'kind'>, offer = manifest(), change: Partial<Facts> = {}) =>
    decide(offer, { ...facts, ...change }, { kind: 'upgrade', ...wish }).refused.map(({ gate }) => gate);

  it('is refused when it is in quarantine, by name or as what is offered', () => {
    expect(refused({ force: [] }, manifest(), { quarantined })).toEqual(['quarantine']);
    expect(refused({ to: v('2.0.0'), force: [] }, manifest(), { quarantined })).toEqual(['quarantine']);
    expect(refused({ force: ['quarantine'] }, manifest(), { quarantined })).toEqual([]);
  });

  it('is refused by name with every gate that blocks, so that one answer tells all that is to be overruled', () => {
    const current = v('2.0.1');
    expect(refused({ to: v('2.0.0'), force: [] }, manifest(), { current, quarantined })).toEqual([
      'newer',
      'quarantine',
    ]);
    expect(refused({ to: v('9.9.9'), force: [] })).toEqual(['offered']);
  });

  it('is no refusal when there is nothing to do, or nothing yet', () => {
    expect(refused({ force: [] }, manifest(), { current: v('2.0.0') })).toEqual([]);
    expect(refused({ to: v('2.0.0'), force: [] }, manifest(), { current: v('2.0.0') })).toEqual([]);
    expect(refused({ force: [] }, manifest({ suggested: v('1.0.0') }), { current: v('2.0.0') })).toEqual([]);
    const later = manifest({ releases: [release('2.0.0', { notBefore: now + 1 })] });
    expect(refused({ force: [] }, later, { quarantined })).toEqual([]);
    expect(
      refused({ force: [] }, manifest({ rollout: { version: v('2.0.0'), seed: nobody, cursor: nobody } })),
    ).toEqual([]);
  });

  it('is refused when no artifact fits this host: no time mends that', () => {
    expect(refused({ force: [] }, manifest(), { arch: 'arm64' })).toEqual(['platform']);
  });

  it('is what only a person is refused: the timer has nothing to do', () => {
    expect(decide(manifest(), { ...facts, quarantined }, { force: [] })).toMatchObject({ install: false, refused: [] });
  });
});

describe('#describeQuarantine', () => {
  it('says of nothing but a failed gate that the version failed [P13]', () => {
    expect(describeQuarantine({ cause: 'gate', message: 'it crashed' })).toBe('failed here: it crashed');
    for (const cause of ['operator', 'interrupted'] as const) {
      expect(describeQuarantine({ cause, message: 'so it was' })).toBe('is in quarantine: so it was');
    }
  });
});

describe('#inRollout', () => {
  const seed = 'ab'.repeat(32);

  it('is nobody at the lowest cursor and everybody at the highest', () => {
    fc.assert(
      fc.property(fc.string(), (machine) => {
        const place = cohortOf(machine, node);
        expect(inRollout(place, { seed, cursor: nobody })).toBe(false);
        expect(inRollout(place, { seed, cursor: everybody })).toBe(true);
      }),
    );
  });

  it('never drops a node out when the cursor rises', () => {
    fc.assert(
      fc.property(fc.string(), fc.bigInt(0n, 2n ** 256n - 1n), fc.bigInt(0n, 2n ** 256n - 1n), (machine, a, b) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        const place = cohortOf(machine, node);
        const hex = (value: bigint) => value.toString(16).padStart(64, '0');
        expect(inRollout(place, { seed, cursor: hex(low) }) && !inRollout(place, { seed, cursor: hex(high) })).toBe(
          false,
        );
      }),
    );
  });

  it('takes about the share that the cursor says: 500 of 2,000 hosts at a quarter', () => {
    const cursor = `3f${'f'.repeat(62)}`;
    const hosts = Array.from({ length: 2000 }, (_, index) => cohortOf(`host ${index}`, node));
    const share = hosts.filter((place) => inRollout(place, { seed, cursor })).length;
    expect(share).toBeGreaterThan(400);
    expect(share).toBeLessThan(600);
  });
});
