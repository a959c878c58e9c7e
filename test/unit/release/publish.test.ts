import { execFileSync } from 'node:child_process';
import { lstat, mkdir, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { planPublication, publishRelease, replaceManifest } from '../../../src/release/publish.ts';
import type { PublishDeps, PublishOptions } from '../../../src/release/publish.ts';
import { signRelease } from '../../../src/release/sign.ts';
import { hold } from '../../../src/release/site-sweep.ts';
import { directorySite, verifyRelease } from '../../../src/release/verify.ts';
import type { VerifyReport } from '../../../src/release/verify.ts';
import type { TrustedKey } from '../../../src/settings.ts';
import { makeKey, makePublisher, makeTree, versionOf } from '../../rig/publisher.ts';
import type { Publisher } from '../../rig/publisher.ts';

const DAY = 24 * 60 * 60 * 1000;
const files = durableFiles(run);
let publisher: Publisher;
let tree: string;

beforeEach(async () => {
  publisher = await makePublisher();
  tree = await makeTree(publisher);
});

afterEach(() => publisher[Symbol.asyncDispose]());

function verify(keys: readonly TrustedKey[] = [publisher.key], threshold = 1, now = Date.now()): Promise<VerifyReport> {
  return verifyRelease({ site: directorySite(publisher.site), keys, threshold, now }, publisher.gpgv);
}

function deps(): PublishDeps {
  return { gpg: publisher.gpg, files, gpgv: publisher.gpgv, now: Date.now };
}

function options(releases: readonly string[], more: Partial<PublishOptions> = {}): PublishOptions {
  const signers = [publisher.key.fingerprint];
  const fixed = { directory: publisher.site, signers, otherKeys: [], mirrors: [], keep: 10 };
  return { ...fixed, name: 'demo', expires: Date.now() + DAY, releases, ...more };
}

function manifestFile(): Promise<string> {
  return readFile(join(publisher.site, 'manifest.json'), 'utf8');
}

describe('publishRelease', () => {
  it('makes a directory that a host with the key accepts', async () => {
    await publisher.publish({ tree, version: '1.0.0' });
    await publisher.publish({ tree, version: '1.1.0+b.1' }, { minimum: versionOf('1.0.0') });
    const { manifest, signers, artifacts } = await verify();
    expect(manifest).toMatchObject({ name: 'demo', serial: 2, suggested: '1.1.0+b.1', minimum: '1.0.0' });
    expect(signers).toEqual([publisher.key.fingerprint]);
    expect(artifacts.map(({ version, state }) => [version, state])).toEqual([
      ['1.1.0+b.1', 'verified'],
      ['1.0.0', 'verified'],
    ]);
  });

  it('can be checked by hand with jq, gpg and sha256sum', async () => {
    await publisher.publish({ tree, version: '1.0.0' });
    const script = `
      set -eu
      jq -j .manifest manifest.json > "$1/text"
      jq -j '.signatures[0]' manifest.json > "$1/text.asc"
      gpg --batch --verify "$1/text.asc" "$1/text"
      jq -r '.releases[].artifacts[] | .sha256 + "  " + .url[0]' "$1/text" | sha256sum --check --quiet
      gpg --batch --verify releases/*/*/*.asc releases/*/*/*.zst`;
    const env = { ...publisher.gpg.env };
    execFileSync('sh', ['-c', script, 'sh', publisher.root], { cwd: publisher.site, env, stdio: 'pipe' });
  });

  it('signs once for each signer, and a host that asks for two distinct signers accepts', async () => {
    const second = await makeKey(publisher.gpg, 'Second <second@example.org>', join(publisher.root, 'second.asc'));
    const signers = [publisher.key.fingerprint, second.fingerprint];
    await publisher.publish({ tree, version: '1.0.0' }, { signers });
    const { signatures } = JSON.parse(await manifestFile()) as { signatures: string[] };
    expect(signatures).toHaveLength(2);
    expect((await verify([publisher.key, second], 2)).signers.toSorted()).toEqual(signers.toSorted());
  });

  it('renews the manifest alone: a higher serial, a later expiry, the same releases', async () => {
    const before = await publisher.publish({ tree, version: '1.0.0' });
    const after = await publisher.renew({ expires: Date.now() + 90 * DAY });
    expect(after.manifest.serial).toBe(2);
    expect(after.manifest.releases).toEqual(before.manifest.releases);
    await verify([publisher.key], 1, Date.now() + 80 * DAY);
  });

  it('lists mirrors after the directory itself', async () => {
    const mirrors = ['https://a.example/x', 'https://b.example/y/'];
    const { manifest } = await publisher.publish({ tree, version: '1.0.0' }, { mirrors });
    const digest = manifest.releases[0]?.artifacts[0]?.sha256 ?? '';
    const path = `releases/1.0.0/${digest}/demo-1.0.0-linux-amd64-gnu.tar.zst`;
    const wanted = [path, `https://a.example/x/${path}`, `https://b.example/y/${path}`];
    expect(manifest.releases[0]?.artifacts[0]?.url.map((url) => url.replace('arm64', 'amd64'))).toEqual(wanted);
  });

  it('plans without touching the directory', async () => {
    const { descriptionFile } = await publisher.build({ tree, version: '1.0.0' });
    const plan = await planPublication(options([descriptionFile]), deps());
    expect(plan.added.map(({ description }) => description.version)).toEqual(['1.0.0']);
    expect(plan.manifest.serial).toBe(1);
    expect(await readdir(publisher.root)).not.toContain('site');
  });

  it('removes what a publication that was killed has left of its manifest, and nothing else', async () => {
    await publisher.publish({ tree, version: '1.0.0' });
    const left = `.manifest.json.${'0a'.repeat(12)}`;
    for (const name of [left, '.htaccess']) await writeFile(join(publisher.site, name), '');
    await publisher.renew();
    const names = await readdir(publisher.site);
    expect(names).not.toContain(left);
    expect(names).toContain('.htaccess');
  });

  it('removes what a publication that was killed has left of its archives and key sets, never what one still writes or what is somebody’s own', async () => {
    const { manifest } = await publisher.publish({ tree, version: '1.0.0' });
    const archive = join(publisher.site, manifest.releases[0]?.artifacts[0]?.url[0] ?? '');
    const place = dirname(archive);
    await mkdir(join(publisher.site, 'keys'));
    const elsewhere = join(publisher.site, 'releases/demo.tar.zst.0123456789ab.tmp');
    const left = [
      `${archive}.0123456789ab.tmp`,
      join(place, `.${basename(archive)}.0123456789abcdef.asc.${'0a'.repeat(12)}`),
      join(publisher.site, `keys/.2.json.${'0a'.repeat(12)}`),
    ];
    const own = [`${archive}.tmp`, `${archive}.orig`, join(place, 'notes.0123456789ab.tmp'), elsewhere];
    const written = `${archive}.abcdefabcdef.tmp`;
    for (const path of [...left, ...own, written]) await writeFile(path, 'x');
    await symlink(elsewhere, `${archive}.111111111111.tmp`);
    const there = async (paths: readonly string[]) => {
      const found = await Promise.all(paths.map((path) => lstat(path).catch(() => undefined)));
      return paths.filter((_, at) => found[at] !== undefined);
    };
    {
      await using file = await open(written, 'r');
      expect(await hold(file, run)).toBe('held');
      await publisher.renew();
      expect(await there(left)).toEqual([]);
      expect(await there([written, ...own])).toEqual([written, ...own]);
    }
    await publisher.renew();
    expect(await there([written, ...own, archive])).toEqual([...own, archive]);
  });

  it('puts every archive into place before the manifest changes, so that a failure in between shows nothing [F027]', async () => {
    await publisher.publish({ tree, version: '1.0.0' });
    const before = await manifestFile();
    const { descriptionFile } = await publisher.build({ tree, version: '2.0.0' });
    const broken = {
      ...files,
      replace: (path: string, bytes: string | Uint8Array, mode: number) =>
        path.endsWith('manifest.json') ? Promise.reject(new Error('power cut')) : files.replace(path, bytes, mode),
    };
    await expect(publishRelease(options([descriptionFile]), { ...deps(), files: broken })).rejects.toThrow('power cut');
    expect(await manifestFile()).toBe(before);
    const [digest = ''] = await readdir(join(publisher.site, 'releases/2.0.0'));
    expect(await readdir(join(publisher.site, 'releases/2.0.0', digest))).toHaveLength(2);
    await publishRelease(options([descriptionFile]), deps());
    expect((await verify()).manifest.suggested).toBe('2.0.0');
  });
});

describe('publishRelease refuses', () => {
  it('other bytes under a version that is published, even after the manifest has dropped it', async () => {
    await publisher.publish({ tree, version: '1.0.0' });
    await publisher.publish({ tree, version: '2.0.0' }, { keep: 1 });
    await writeFile(join(tree, 'bin/demo'), '#!/bin/sh\necho changed\n');
    const before = await manifestFile();
    await expect(publisher.publish({ tree, version: '2.0.0' })).rejects.toMatchObject({ code: 'RELEASE_CHANGED' });
    await expect(publisher.publish({ tree, version: '1.0.0' })).rejects.toMatchObject({ code: 'RELEASE_CHANGED' });
    expect(await manifestFile()).toBe(before);
  });

  it('a serial that hosts would take for an attack', async () => {
    await publisher.publish({ tree, version: '1.0.0' });
    await expect(publisher.renew({ serial: 1 })).rejects.toMatchObject({ code: 'RELEASE_SERIAL' });
    await expect(publisher.renew({ serial: 2_000_000 })).rejects.toMatchObject({
      code: 'RELEASE_SERIAL',
      remedy: expect.stringContaining('Leave --serial out') as unknown,
    });
  });

  it('to build on a manifest that somebody else put there', async () => {
    await using stranger = await makePublisher();
    await stranger.publish({ tree, version: '6.6.6' });
    await mkdir(publisher.site);
    await writeFile(join(publisher.site, 'manifest.json'), await readFile(join(stranger.site, 'manifest.json')));
    await expect(publisher.publish({ tree, version: '1.0.0' })).rejects.toMatchObject({ code: 'TRUST_THRESHOLD' });
  });

  it('an archive that is not signed, signed by a stranger, or not as described', async () => {
    const { archive, descriptionFile } = await publisher.build({ tree, version: '1.0.0' });
    await using stranger = await makePublisher();
    await signRelease({ archive, signers: [stranger.key.fingerprint] }, stranger.gpg, files);
    const refused = (): Promise<unknown> => publishRelease(options([descriptionFile]), deps());
    await expect(refused()).rejects.toMatchObject({ code: 'TRUST_THRESHOLD' });
    await rm(`${archive}.asc`);
    await expect(refused()).rejects.toMatchObject({ code: 'RELEASE_INPUT' });
    await writeFile(archive, 'other');
    await expect(refused()).rejects.toMatchObject({ code: 'RELEASE_INPUT' });
    expect(await readdir(publisher.root)).not.toContain('site');
  });

  it('when another publication came in between', async () => {
    await publisher.publish({ tree, version: '1.0.0' });
    const { descriptionFile } = await publisher.build({ tree, version: '2.0.0' });
    let renewed = false;
    const racing = {
      ...files,
      // Of the archive: no lock of the directory is held while it is copied.
      rename: async (from: string, to: string): Promise<void> => {
        await files.rename(from, to);
        if (!renewed) await publisher.renew();
        renewed = true;
      },
    };
    const raced = publishRelease(options([descriptionFile]), { ...deps(), files: racing });
    await expect(raced).rejects.toMatchObject({ code: 'RELEASE_SERIAL' });
    expect((await verify()).manifest).toMatchObject({ serial: 2, suggested: '1.0.0' });
  });

  it('the second of two that are made at the same moment: one serial never stands for two manifests', async () => {
    await publisher.publish({ tree, version: '1.0.0' });
    const before = await readFile(join(publisher.site, 'manifest.json'));
    const both = ['{"one":1}', '{"other":1}'].map((text) => replaceManifest(publisher.site, text, before, deps()));
    const outcomes = await Promise.allSettled(both);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'RELEASE_SERIAL' } });
  });

  it('an archive whose name was mistyped, by that name and not as a fault of the key', async () => {
    const signed = signRelease({ archive: join(tree, 'bin/dmo'), signers: [] }, publisher.gpg, files);
    await expect(signed).rejects.toMatchObject({ code: 'DISK_IO' });
  });

  it('a key that gpg does not have, in the words of gpg', async () => {
    const signed = signRelease(
      { archive: join(tree, 'bin/demo'), signers: ['nobody@example.org'] },
      publisher.gpg,
      files,
    );
    await expect(signed).rejects.toMatchObject({ code: 'RELEASE_GPG' });
    await expect(signed).rejects.toThrow(/nobody@example\.org.*No secret key/);
    const { descriptionFile } = await publisher.build({ tree, version: '1.0.0' });
    const published = publishRelease(options([descriptionFile], { signers: ['nobody@example.org'] }), deps());
    await expect(published).rejects.toMatchObject({ code: 'RELEASE_GPG' });
  });
});
