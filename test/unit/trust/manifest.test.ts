import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UpdaterError } from '../../../src/errors.ts';
import { parseManifest } from '../../../src/trust/manifest.ts';

const artifact = {
  os: 'linux',
  arch: 'amd64',
  libc: 'gnu',
  url: ['demo-1.0.0.tar.gz', 'https://mirror.example.org/demo-1.0.0.tar.gz'],
  size: 12345,
  unpacked_size: 99999,
  entries: 12,
  sha256: 'a'.repeat(64),
  signature: 'demo-1.0.0.tar.gz.asc',
  deltas: [{ from: '0.9.0', url: 'x' }],
};
const release = {
  version: '1.0.0',
  published: '2026-11-01T00:00:00Z',
  severity: 'routine',
  notes: 'https://example.org/notes',
  epoch: 0,
  rollback: 'safe',
  not_before: '2026-11-02T00:00:00.500Z',
  artifacts: [artifact],
};
const manifest = {
  schema: 1,
  name: 'demo',
  channel: 'stable',
  serial: 7,
  published: '2026-11-20T12:00:00Z',
  expires: '2027-01-02T00:00:00Z',
  minimum: '0.9.0',
  suggested: '1.0.0',
  rollout: { version: '1.0.0', seed: '0'.repeat(64), cursor: 'f'.repeat(64) },
  withdrawn: ['0.9.9'],
  releases: [release],
  anything: { new: true },
};

function withTop(changes: object): string {
  return JSON.stringify({ ...manifest, ...changes });
}

function withRelease(changes: object): string {
  return withTop({ releases: [{ ...release, ...changes }] });
}

function withArtifact(changes: object): string {
  return withRelease({ artifacts: [{ ...artifact, ...changes }] });
}

function without(object: object, ...names: readonly string[]): object {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}

function refusal(text: string): Pick<UpdaterError, 'code' | 'message'> {
  try {
    parseManifest(text);
  } catch (error) {
    return error as UpdaterError;
  }
  return expect.unreachable('it was accepted');
}

describe('parseManifest', () => {
  it('reads every field, times as milliseconds, and ignores fields that it does not know', () => {
    expect(parseManifest(JSON.stringify(manifest))).toEqual({
      ...without(manifest, 'anything'),
      published: Date.parse('2026-11-20T12:00:00Z'),
      expires: Date.parse('2027-01-02T00:00:00Z'),
      releases: [
        {
          ...without(release, 'not_before'),
          published: Date.parse('2026-11-01T00:00:00Z'),
          notBefore: Date.parse('2026-11-02T00:00:00.500Z'),
          artifacts: [{ ...without(artifact, 'unpacked_size', 'deltas'), unpackedSize: 99999 }],
        },
      ],
    });
  });

  it('leaves out what is optional', () => {
    const parsed = parseManifest(JSON.stringify(without(manifest, 'minimum', 'rollout', 'withdrawn')));
    expect(parsed).toMatchObject({ withdrawn: [] });
    expect('minimum' in parsed || 'rollout' in parsed).toBe(false);
  });

  it.each([
    ['a later schema', withTop({ schema: 2, releases: 'of another shape' })],
    ['a critical field that we do not know', withTop({ critical: ['serial', 'quorum'] })],
    ['critical deltas', withTop({ critical: ['releases.artifacts.deltas'] })],
  ])('asks for a newer node-updater on %s [F033]', (_, text) => {
    const error = refusal(text);
    expect(error.code).toBe('TRUST_NEWER_SCHEMA');
    expect(error.message).toContain('a newer node-updater is needed');
  });

  it('takes critical fields that it knows [F033]', () => {
    const critical = ['serial', 'rollout.cursor', 'releases.epoch', 'releases.artifacts.sha256'];
    expect(parseManifest(withTop({ critical })).serial).toBe(7);
  });

  it.each(['../x', 'a/b', '.', '..', '', 'a\0b', 'a\nb', '-x', '.x', 'v'.repeat(65), 'v'.repeat(300), 'ä', 'a b'])(
    'refuses the version %j wherever it stands [F034]',
    (version) => {
      const places = [
        withRelease({ version }),
        withTop({ suggested: version }),
        withTop({ minimum: version }),
        withTop({ withdrawn: [version] }),
        withTop({ rollout: { ...manifest.rollout, version } }),
      ];
      for (const text of places) expect(refusal(text).code).toBe('TRUST_MANIFEST');
    },
  );

  it.each([
    ['a byte order mark', `\uFEFF${withTop({})}`],
    ['a name twice', withTop({}).replace('{', '{"serial":8,')],
    ['a prototype', withTop({}).replace('{', '{"__proto__":{"x":1},')],
    ['a number that does not fit', withTop({}).replace('12345', '1e400')],
    ['a depth of 10 000', withTop({}).replace('true', '['.repeat(10_000) + ']'.repeat(10_000))],
    ['more than 64 KiB', withTop({ anything: 'x'.repeat(65_536) })],
    ['half a surrogate pair', `${withTop({}).slice(0, -1)},"x":"\ud800"}`],
    ['a list', '[]'],
    ['null', 'null'],
    ['text', '"schema"'],
    ['nothing', ''],
  ])('refuses a text with %s [F032]', (_, text) => {
    expect(refusal(text).code).toBe('TRUST_MANIFEST');
  });

  it.each([
    ['no schema', withTop({ schema: undefined })],
    ['schema 0', withTop({ schema: 0 })],
    ['schema "1"', withTop({ schema: '1' })],
    ['critical that is no list', withTop({ critical: 'serial' })],
    ['serial 0', withTop({ serial: 0 })],
    ['serial 2^53 [F037]', withTop({ serial: 2 ** 53 })],
    ['a serial with a fraction', withTop({ serial: 7.5 })],
    ['a name with a slash', withTop({ name: 'a/b' })],
    ['a time without a zone', withTop({ published: '2026-11-20T12:00:00' })],
    ['30 February', withTop({ published: '2026-02-30T00:00:00Z' })],
    ['24:00', withTop({ expires: '2027-01-01T24:00:00Z' })],
    ['an end before its start', withTop({ expires: manifest.published })],
    ['a cursor that is no hex', withTop({ rollout: { ...manifest.rollout, cursor: 'F'.repeat(64) } })],
    ['no release', withTop({ releases: [] })],
    ['a release twice', withTop({ releases: [release, release] })],
    ['a release without artifacts', withRelease({ artifacts: [] })],
    ['two artifacts for one platform', withRelease({ artifacts: [artifact, artifact] })],
    ['an unknown severity', withRelease({ severity: 'huge' })],
    ['an unknown rollback', withRelease({ rollback: 'maybe' })],
    ['no epoch', withRelease({ epoch: undefined })],
    ['another operating system', withArtifact({ os: 'windows' })],
    ['a digest in capitals', withArtifact({ sha256: 'A'.repeat(64) })],
    ['size 0', withArtifact({ size: 0 })],
    ['a size above the limit', withArtifact({ size: 64 * 1024 ** 3 + 1 })],
    ['an unpacked size above the limit', withArtifact({ unpacked_size: 256 * 1024 ** 3 + 1 })],
    ['entries above the limit', withArtifact({ entries: 1_000_001 })],
    ['no URL', withArtifact({ url: [] })],
    ['a file URL', withArtifact({ url: ['file:///etc/shadow'] })],
    ['a URL with a password', withArtifact({ url: ['https://a:b@example.org/x'] })],
    ['a URL with a newline', withArtifact({ signature: 'https://example.org/\nx' })],
  ])('refuses %s', (_, text) => {
    expect(refusal(text).code).toBe('TRUST_MANIFEST');
  });

  it('names the field that is wrong, on one printable line', () => {
    expect(refusal(withArtifact({ sha256: 'x' })).message).toContain('releases.0.artifacts.0.sha256');
    expect(refusal(withTop({ '\u001b[2J\n': 1, critical: 1 })).message).toMatch(/^[\x20-\x7e]+$/);
  });

  it('gives a manifest or a TRUST_ error for any JSON in any field, and nothing else [F032]', () => {
    const field = fc.constantFrom(...Object.keys(manifest));
    fc.assert(
      fc.property(field, fc.jsonValue(), (name, value) => {
        try {
          expect(parseManifest(withTop({ [name]: value })).schema).toBe(1);
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^TRUST_(MANIFEST|NEWER_SCHEMA)$/) as string });
        }
      }),
      { numRuns: 500 },
    );
  });
});
