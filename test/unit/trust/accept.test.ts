import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../../src/errors.ts';
import type { Manifest } from '../../../src/manifest.ts';
import type { Version } from '../../../src/release.ts';
import {
  acceptManifest,
  checkClock,
  loadTrustState,
  nextTrustState,
  saveTrustState,
} from '../../../src/trust/accept.ts';
import type { TrustState } from '../../../src/trust/accept.ts';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { scratch } from './support.ts';

const NOW = Date.parse('2026-11-20T12:00:00Z');
const HOUR = 3_600_000;
const base: Manifest = {
  schema: 1,
  name: 'demo',
  channel: 'stable',
  serial: 7,
  published: NOW - HOUR,
  expires: NOW + HOUR,
  suggested: '1.0.0' as Version,
  withdrawn: [],
  releases: [],
};
const facts = { name: 'demo', channel: 'stable', now: NOW, buildTime: NOW - 100 * HOUR };
const floor = nextTrustState({ manifest: base, text: 'seven' }, undefined);

interface Case {
  readonly manifest?: Partial<Manifest>;
  readonly text?: string;
  readonly floor?: TrustState;
  readonly now?: number;
  readonly buildTime?: number;
}

function codeOf({ manifest, text = 'seven', floor: before, ...rest }: Case): ErrorCode | 'accepted' {
  try {
    acceptManifest({ manifest: { ...base, ...manifest }, text }, before, { ...facts, ...rest });
    return 'accepted';
  } catch (error) {
    return (error as { code: ErrorCode }).code;
  }
}

describe('acceptManifest', () => {
  it.each<readonly [string, Case]>([
    ['the first one', {}],
    ['the same one again', { floor }],
    ['a higher serial', { floor, manifest: { serial: 8 }, text: 'eight' }],
    ['a serial a million higher', { floor, manifest: { serial: 1_000_007 }, text: 'later' }],
    ['any serial on first contact', { manifest: { serial: 20_261_120 } }],
    ['half of all serials on first contact', { manifest: { serial: 2 ** 52 } }],
    ['one that expires in a millisecond', { now: base.expires - 1 }],
    ['one published ten seconds ahead', { manifest: { published: NOW + 10_000 } }],
    ['a clock ten seconds behind what was seen', { floor, now: floor.published - 10_000 }],
  ])('accepts %s [F037] [F038]', (_, given) => {
    expect(codeOf(given)).toBe('accepted');
  });

  it.each<readonly [string, Case, ErrorCode]>([
    ['another product [F030]', { manifest: { name: 'other' } }, 'TRUST_WRONG_PRODUCT'],
    ['another channel [F030]', { manifest: { channel: 'beta' } }, 'TRUST_WRONG_PRODUCT'],
    ['a lower serial [F035] [S1.16]', { floor, manifest: { serial: 6 }, text: 'six' }, 'TRUST_SERIAL'],
    ['other bytes under the same serial [F036]', { floor, text: 'another seven' }, 'TRUST_EQUIVOCATION'],
    ['a jump of the serial [F037]', { floor, manifest: { serial: 1_000_008 }, text: 'far' }, 'TRUST_SERIAL_JUMP'],
    ['a first serial without room above it [F037]', { manifest: { serial: 2 ** 52 + 1 } }, 'TRUST_SERIAL_JUMP'],
    ['one from the moment it expires [F038] [P55]', { now: base.expires }, 'TRUST_EXPIRED'],
    ['one published in an hour [F038]', { manifest: { published: NOW + HOUR } }, 'TRUST_CLOCK'],
    ['one published 10.001 s ahead [F038]', { manifest: { published: NOW + 10_001 } }, 'TRUST_CLOCK'],
    ['a clock before what was seen [F038]', { floor, now: floor.published - 10_001 }, 'TRUST_CLOCK'],
    ['a clock before our own build [F038]', { buildTime: NOW + HOUR }, 'TRUST_CLOCK'],
  ])('refuses %s', (_, given, code) => {
    expect(codeOf(given)).toBe(code);
  });

  it('names both digests when two manifests carry one serial [F036]', () => {
    const other = nextTrustState({ manifest: base, text: 'another seven' }, undefined).sha256;
    const accept = (): void => {
      acceptManifest({ manifest: base, text: 'another seven' }, floor, facts);
    };
    expect(accept).toThrow(new RegExp(`${floor.sha256} before, ${other} now`));
  });
});

describe('checkClock', () => {
  it('refuses a clock behind our own build or what was seen before, and no other [F104]', () => {
    const at = (now: number, before?: TrustState) => () => {
      checkClock(before, { now, buildTime: facts.buildTime });
    };
    expect(at(0)).toThrow(expect.objectContaining({ code: 'TRUST_CLOCK' }));
    expect(at(floor.published - 10_001, floor)).toThrow(expect.objectContaining({ code: 'TRUST_CLOCK' }));
    expect(at(floor.published - 10_001)).not.toThrow();
    expect(at(NOW + 100_000 * HOUR, floor)).not.toThrow();
  });
});

describe('nextTrustState', () => {
  it('raises the serial and never lets serial or time fall [F035]', () => {
    const next = nextTrustState({ manifest: { ...base, serial: 8, published: 5 }, text: 'eight' }, floor);
    expect(next).toMatchObject({ serial: 8, published: base.published });
    expect(next.sha256).not.toBe(floor.sha256);
    expect(nextTrustState({ manifest: { ...base, serial: 6 }, text: 'six' }, floor)).toEqual(floor);
  });
});

describe('the trust state on disk', () => {
  it('comes back as it was saved, in a file that everybody can read and only we can write', async () => {
    await using directory = await scratch();
    const path = join(directory.path, 'trust.json');
    expect(await loadTrustState(path)).toBeUndefined();
    await saveTrustState(path, floor, durableFiles(run));
    expect(await loadTrustState(path)).toEqual(floor);
    expect((await stat(path)).mode & 0o777).toBe(0o644);
  });

  it.each([
    ['empty', ''],
    ['torn', '{"schema":1,"serial":7,'],
    ['of another schema', JSON.stringify({ ...floor, schema: 2 })],
    ['without a serial', JSON.stringify({ ...floor, serial: undefined })],
    ['with a negative serial', JSON.stringify({ ...floor, serial: -1 })],
    ['with a digest of another kind', JSON.stringify({ ...floor, sha256: 'abc' })],
    ['null', 'null'],
  ])('is an error, never first contact, when the file is %s [F035]', async (_, text) => {
    await using directory = await scratch();
    const path = join(directory.path, 'trust.json');
    await writeFile(path, text);
    await expect(loadTrustState(path)).rejects.toMatchObject({ code: 'HOST_STATE', cause: expect.anything() as Error });
  });

  it('is an error of the disk when it cannot be read at all', async () => {
    await using directory = await scratch();
    const path = join(directory.path, 'trust.json');
    await mkdir(path);
    await expect(loadTrustState(path)).rejects.toMatchObject({ code: 'DISK_IO' });
  });
});
