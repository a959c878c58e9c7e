import { describe, expect, it } from 'vitest';
import type { Artifact, Manifest } from '../../../src/manifest.ts';
import { parseDigest } from '../../../src/release.ts';
import type { Digest } from '../../../src/release.ts';
import { planManifest } from '../../../src/release/plan.ts';
import type { Addition, Publication } from '../../../src/release/plan.ts';
import { manifestText } from '../../../src/release/text.ts';
import { parseManifest } from '../../../src/trust/manifest.ts';
import { versionOf } from '../../rig/publisher.ts';

const NOW = Date.UTC(2026, 10, 20, 12);
const DAY = 24 * 60 * 60 * 1000;

function artifact(more: Partial<Artifact> = {}): Artifact {
  return {
    os: 'linux',
    arch: 'amd64',
    libc: 'gnu',
    url: ['releases/x'],
    size: 10,
    unpackedSize: 20,
    entries: 2,
    sha256: parseDigest('a'.repeat(64)) as Digest,
    signature: 'releases/x.asc',
    ...more,
  };
}

function addition(version: string, more: Partial<Addition> = {}): Addition {
  const fixed = { name: 'demo', severity: 'routine', epoch: 0, rollback: 'safe', artifact: artifact() } as const;
  return { ...fixed, version: versionOf(version), ...more };
}

function plan(previous: Manifest | undefined, more: Partial<Publication> = {}, now = NOW): Manifest {
  return planManifest(previous, { additions: [], expires: now + 30 * DAY, keep: 10, ...more }, now);
}

const first = plan(undefined, { additions: [addition('1.0.0')] });

describe('planManifest', () => {
  it('starts at serial 1 and rises by one each time', () => {
    expect(first.serial).toBe(1);
    expect(plan(first).serial).toBe(2);
    expect(plan(first, { serial: 7 }).serial).toBe(7);
  });

  it('suggests the newest version that is added, and keeps the suggestion on a renewal', () => {
    const additions = [addition('1.10.0'), addition('1.9.0')];
    const second = plan(first, { additions });
    expect(second.suggested).toBe('1.10.0');
    expect(plan(second).suggested).toBe('1.10.0');
    expect(plan(second, { suggested: versionOf('1.0.0') }).suggested).toBe('1.0.0');
  });

  it('adds another architecture to a version that is published already', () => {
    const arm = addition('1.0.0', { artifact: artifact({ arch: 'arm64', sha256: 'b'.repeat(64) as Digest }) });
    const second = plan(first, { additions: [arm] }, NOW + DAY);
    expect(second.releases).toHaveLength(1);
    expect(second.releases[0]?.artifacts.map(({ arch }) => arch)).toEqual(['amd64', 'arm64']);
    expect(second.releases[0]?.published).toBe(first.published);
  });

  it('keeps as many releases as asked, and always those that it refers to', () => {
    const versions = ['1.0.0', '1.1.0', '1.2.0', '1.3.0'];
    const full = plan(undefined, { additions: versions.map((each) => addition(each)) });
    const pruned = plan(full, { keep: 1, minimum: versionOf('1.1.0'), suggested: versionOf('1.2.0') });
    expect(pruned.releases.map(({ version }) => version)).toEqual(['1.3.0', '1.2.0', '1.1.0']);
  });

  it('remembers what is withdrawn and ends a rollout when another version is suggested', () => {
    const rollout = { version: versionOf('1.1.0'), seed: '0'.repeat(64), cursor: 'f'.repeat(64) };
    const second = plan(first, { additions: [addition('1.1.0')], rollout });
    expect(plan(second).rollout).toEqual(rollout);
    const withdrawn = plan(second, { withdrawn: [versionOf('1.1.0')], suggested: versionOf('1.0.0') });
    expect(withdrawn.rollout).toBeUndefined();
    expect(plan(withdrawn).withdrawn).toEqual(['1.1.0']);
  });

  it('makes a text that hosts read back as the same manifest', () => {
    const rich = plan(first, {
      additions: [addition('2.0.0-rc.1+b~1', { notes: 'see "news" \u2028 é', epoch: 3, rollback: 'restore-data' })],
      minimum: versionOf('1.0.0'),
      rollout: { version: versionOf('2.0.0-rc.1+b~1'), seed: '0'.repeat(64), cursor: 'f'.repeat(64) },
      notBefore: NOW + 1234,
    });
    expect(parseManifest(manifestText(rich))).toEqual(rich);
  });

  const refusals: readonly {
    name: string;
    code?: string;
    previous?: Manifest;
    more: Partial<Publication>;
    now?: number;
  }[] = [
    {
      name: 'other bytes under a version that is published',
      code: 'RELEASE_CHANGED',
      previous: first,
      more: { additions: [addition('1.0.0', { artifact: artifact({ sha256: 'c'.repeat(64) as Digest }) })] },
    },
    {
      name: 'another epoch under it',
      code: 'RELEASE_CHANGED',
      previous: first,
      more: { additions: [addition('1.0.0', { epoch: 1 })] },
    },
    { name: 'an expiry in the past', code: 'RELEASE_EXPIRED', previous: first, more: { expires: NOW - 1 } },
    { name: 'an expiry at this very moment', code: 'RELEASE_EXPIRED', previous: first, more: { expires: NOW } },
    {
      name: 'an expiry beyond 90 days',
      code: 'RELEASE_EXPIRES_LATE',
      previous: first,
      more: { expires: NOW + 91 * DAY },
    },
    { name: 'a serial that stays', code: 'RELEASE_SERIAL', previous: first, more: { serial: 1 } },
    { name: 'a serial that falls', code: 'RELEASE_SERIAL', previous: first, more: { serial: 0 } },
    { name: 'a serial beyond what JSON carries', code: 'RELEASE_SERIAL', previous: first, more: { serial: 2 ** 53 } },
    { name: 'another product', previous: first, more: { name: 'other' } },
    { name: 'another channel', previous: first, more: { channel: 'beta' } },
    { name: 'a suggestion that is not published', previous: first, more: { suggested: versionOf('9') } },
    { name: 'a suggestion that is withdrawn', previous: first, more: { withdrawn: [versionOf('1.0.0')] } },
    { name: 'a minimum above the suggestion', previous: first, more: { minimum: versionOf('2.0.0') } },
    { name: 'a clock that went back', previous: first, more: { expires: NOW + DAY }, now: NOW - DAY },
    { name: 'a first manifest without a release', more: { name: 'demo' } },
  ];

  it.each(refusals)('refuses $name', ({ code = 'RELEASE_REFUSED', previous, more, now }) => {
    expect(() => plan(previous, more, now)).toThrow(expect.objectContaining({ code }));
  });

  it('lets an expiry of 90 days pass, and a later one for who forces it', () => {
    expect(plan(first, { expires: NOW + 90 * DAY }).expires).toBe(NOW + 90 * DAY);
    expect(plan(first, { expires: NOW + 3650 * DAY, force: ['expires'] }).expires).toBe(NOW + 3650 * DAY);
  });

  it('refuses a manifest that is too large for hosts', () => {
    const additions = Array.from({ length: 60 }, (_, at) => addition(`1.${at}.0`, { notes: 'n'.repeat(1000) }));
    const large = plan(undefined, { additions, keep: 100 });
    expect(() => manifestText(large)).toThrow(expect.objectContaining({ code: 'RELEASE_REFUSED' }));
  });
});
