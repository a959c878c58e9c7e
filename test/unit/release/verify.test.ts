import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { directorySite, verifyRelease } from '../../../src/release/verify.ts';
import type { VerifyReport } from '../../../src/release/verify.ts';
import { describeReport } from '../../../src/release/words.ts';
import { signFile } from '../../../src/release/gpg.ts';
import { makeKey, makePublisher, makeTree, versionOf } from '../../rig/publisher.ts';
import type { Publisher } from '../../rig/publisher.ts';

const DAY = 24 * 60 * 60 * 1000;
let publisher: Publisher;
let tree: string;

beforeEach(async () => {
  publisher = await makePublisher();
  tree = await makeTree(publisher);
});

afterEach(() => publisher[Symbol.asyncDispose]());

function verify(now = Date.now()): Promise<VerifyReport> {
  return verifyRelease(
    { site: directorySite(publisher.site), keys: [publisher.key], threshold: 1, now },
    publisher.gpgv,
  );
}

/** What a publisher without our tools types. `$1` is the tree, `$2` the version, `$3` the key, `$4` a URL elsewhere. */
const BY_HAND = `
  set -eu
  dir=releases/$2
  archive=$dir/demo-$2.tar.gz
  mkdir -p "$dir"
  tar --sort=name --format=pax --pax-option=delete=atime,delete=ctime --mtime=@0 --owner=0 --group=0 \\
      --numeric-owner --mode=u=rwX,go=rX -C "$1" -cf - . | gzip -9n > "$archive"
  gpg --batch --local-user "$3" --armor --detach-sign "$archive"
  jq -n --arg version "$2" --arg now "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \\
      --arg expires "$(date -u -d '+30 days' +%Y-%m-%dT%H:%M:%SZ)" \\
      --arg url "\${4:-$archive}" --arg archive "$archive" --argjson size "$(stat -c %s "$archive")" \\
      --argjson unpacked "$(find "$1" -type f -printf '%s\\n' | awk '{ sum += $1 } END { print sum + 0 }')" \\
      --argjson entries "$(tar -tf "$archive" | wc -l)" \\
      --arg sha256 "$(sha256sum "$archive" | cut -d' ' -f1)" '{
    schema: 1, name: "demo", channel: "stable", serial: 1, published: $now, expires: $expires,
    suggested: $version, withdrawn: [],
    releases: [{ version: $version, published: $now, severity: "routine", epoch: 0, rollback: "safe",
      artifacts: [{ os: "linux", arch: "amd64", libc: "gnu", url: [$url], size: $size,
        unpacked_size: $unpacked, entries: $entries, sha256: $sha256, signature: ($archive + ".asc") }] }]
  }' > manifest.txt
  gpg --batch --local-user "$3" --armor --detach-sign manifest.txt
  jq -n --rawfile manifest manifest.txt --rawfile signature manifest.txt.asc \\
      '{ manifest: $manifest, signatures: [$signature] }' > manifest.json.new
  mv manifest.json.new manifest.json`;

async function publishByHand(version: string, url = '', script = BY_HAND): Promise<void> {
  await mkdir(publisher.site, { recursive: true });
  const env = { ...publisher.gpg.env };
  const args = ['-c', script, 'sh', tree, version, publisher.key.fingerprint, url];
  execFileSync('sh', args, { cwd: publisher.site, env, stdio: 'pipe' });
}

describe('verifyRelease', () => {
  it('accepts what a person made with tar, gpg and jq', async () => {
    await publishByHand('1.0.0');
    const { manifest, artifacts } = await verify();
    expect(manifest).toMatchObject({ serial: 1, suggested: '1.0.0' });
    expect(artifacts[0]).toMatchObject({ state: 'verified', artifact: { entries: 3, unpackedSize: 19 } });
  });

  it('lets our own publication follow one that was made by hand', async () => {
    await publishByHand('1.0.0');
    await publisher.publish({ tree, version: '1.1.0' });
    const { manifest, artifacts } = await verify();
    expect(manifest).toMatchObject({ serial: 2, suggested: '1.1.0' });
    expect(artifacts.map(({ version }) => version)).toEqual(['1.1.0', '1.0.0']);
  });

  it('says that an artifact which lies elsewhere was not checked', async () => {
    await publishByHand('1.0.0', 'https://mirror.example/demo-1.0.0.tar.gz');
    const { artifacts } = await verify();
    expect(artifacts[0]?.state).toBe('elsewhere');
  });

  const faults: readonly { name: string; code: string; damage: (archive: string, signature: string) => unknown }[] = [
    {
      name: 'a manifest that is gone',
      code: 'SOURCE_UNREACHABLE',
      damage: () => rm(join(publisher.site, 'manifest.json')),
    },
    { name: 'an archive that is gone', code: 'SOURCE_UNREACHABLE', damage: (archive) => rm(archive) },
    { name: 'a signature that is gone', code: 'SOURCE_UNREACHABLE', damage: (_, signature) => rm(signature) },
    { name: 'an archive that grew', code: 'TRUST_SIZE', damage: (archive) => appendFile(archive, 'x') },
    { name: 'an archive that changed', code: 'TRUST_DIGEST', damage: flipLastByte },
    {
      name: 'a signature that is none',
      code: 'TRUST_STRUCTURE',
      damage: (_, signature) => writeFile(signature, 'no signature'),
    },
    {
      name: 'a signature too large',
      code: 'TRUST_SIZE',
      damage: (_, signature) => writeFile(signature, 'x'.repeat(20_000)),
    },
  ];

  it.each(faults)('refuses $name', async ({ name, code, damage }) => {
    const { manifest } = await publisher.publish({ tree, version: '1.0.0' });
    const { url = [], signature = '' } = manifest.releases[0]?.artifacts[0] ?? {};
    await damage(join(publisher.site, url[0] ?? ''), join(publisher.site, signature));
    await expect(verify()).rejects.toMatchObject({ code });
    const archive = url[0] ?? 'none';
    const told: unknown = await verify().catch((error: unknown) => error);
    const file = code === 'SOURCE_UNREACHABLE' && name.includes('manifest') ? 'manifest.json' : archive;
    expect(told).toMatchObject({ message: expect.stringContaining(file) as string });
    // Whoever verifies what he publishes is not told to ask the publisher, or to wait for the next run.
    expect(told).not.toMatchObject({ remedy: expect.stringMatching(OPERATORS) as string });
  });

  it('names the archive that the wrong key has signed, and tells its publisher what to type', async () => {
    await publisher.publish({ tree, version: '1.0.0' });
    const { manifest } = await publisher.publish({ tree, version: '1.1.0' });
    const { url = [], signature = '' } = manifest.releases[0]?.artifacts[0] ?? {};
    const stranger = await makeKey(publisher.gpg, 'Eve <eve@example.org>', join(publisher.root, 'eve.asc'));
    const { armoured } = await signFile(publisher.gpg, join(publisher.site, url[0] ?? ''), [stranger.fingerprint]);
    await writeFile(join(publisher.site, signature), armoured);
    await expect(verify()).rejects.toMatchObject({
      code: 'TRUST_THRESHOLD',
      message: expect.stringContaining(
        `${url[0] ?? 'none'} of ${publisher.site}: the archive is signed by 0`,
      ) as string,
      remedy: expect.stringMatching(/^Have it signed by a key that hosts trust.*node-updater release sign/) as string,
    });
  });

  it('tells its publisher what to do about a manifest that his keys have not signed', async () => {
    await publisher.publish({ tree, version: '1.0.0' });
    const stranger = await makeKey(publisher.gpg, 'Eve <eve@example.org>', join(publisher.root, 'eve.asc'));
    const given = { site: directorySite(publisher.site), keys: [stranger], threshold: 1, now: Date.now() };
    const told: unknown = await verifyRelease(given, publisher.gpgv).catch((error: unknown) => error);
    expect(told).toMatchObject({
      code: 'TRUST_THRESHOLD',
      message: expect.stringMatching(/^manifest.json of .*: the manifest is signed by 0 of the 1/) as string,
      remedy: expect.stringContaining('node-updater release publish DIRECTORY') as string,
    });
    expect(told).not.toMatchObject({ remedy: expect.stringMatching(OPERATORS) as string });
  });

  it('says which versions are withdrawn', async () => {
    await publisher.publish({ tree, version: '1.0.0' });
    await publisher.publish({ tree, version: '1.1.0' });
    await publisher.renew({ withdrawn: [versionOf('1.1.0')], suggested: versionOf('1.0.0') });
    expect(describeReport(await verify())).toContain('withdrawn: 1.1.0');
  });

  it('refuses an archive that does not hold what the signed counts say [F050]', async () => {
    await publishByHand('1.0.0', '', BY_HAND.replace('entries: $entries', 'entries: 4'));
    await expect(verify()).rejects.toMatchObject({ code: 'ARTIFACT_COUNTS' });
  });

  it('refuses a manifest that has expired [F038]', async () => {
    await publisher.publish({ tree, version: '1.0.0' });
    await expect(verify(Date.now() + 31 * DAY)).rejects.toMatchObject({ code: 'TRUST_EXPIRED' });
  });
});

const OPERATORS = /keys\.d|tell the publisher|next run|node-updater check|another mirror/i;

async function flipLastByte(path: string): Promise<void> {
  const { open } = await import('node:fs/promises');
  await using file = await open(path, 'r+');
  const { size } = await file.stat();
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, size - 1);
}
