import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { completePublication } from '../../../src/release/complete.ts';
import { countersign, mergeInto } from '../../../src/release/countersign.ts';
import type { CountersignOptions, Countersigned } from '../../../src/release/countersign.ts';
import { publishRelease } from '../../../src/release/publish.ts';
import type { SigningRequest } from '../../../src/release/request.ts';
import { directorySite, verifyRelease } from '../../../src/release/verify.ts';
import type { VerifyReport } from '../../../src/release/verify.ts';
import { files, makeSigners } from './signers.ts';
import type { Signer, Signers } from './signers.ts';

let signers: Signers;

beforeEach(async () => {
  signers = await makeSigners();
});

afterEach(() => signers[Symbol.asyncDispose]());

function sign(path: string, { key, deps }: Signer, more: Partial<CountersignOptions> = {}): Promise<Countersigned> {
  return countersign({ path, signers: [key.fingerprint], force: [], ...more }, deps);
}

function complete(path: string): Promise<unknown> {
  const keys = [signers.alice.key, signers.bob.key];
  const options = { directory: signers.site, path, keys, threshold: undefined, force: [] };
  return completePublication(options, signers.alice.deps);
}

function asTwoOfTwo(): Promise<VerifyReport> {
  const keys = [signers.alice.key, signers.bob.key];
  const site = directorySite(signers.site);
  return verifyRelease({ site, keys, threshold: 2, now: Date.now() }, signers.alice.deps.gpgv);
}

async function published(version: string): Promise<void> {
  const path = await signers.request([await signers.build(version)]);
  await sign(path, signers.bob);
  await complete(path);
}

async function edit(path: string, change: (request: SigningRequest) => Partial<SigningRequest>): Promise<void> {
  const request = JSON.parse(await readFile(path, 'utf8')) as SigningRequest;
  await writeFile(path, JSON.stringify({ ...request, ...change(request) }));
}

describe('a signing request', () => {
  it('takes one publication through two machines, and hosts that ask for two signatures accept it [S3.45]', async () => {
    const path = await signers.request([await signers.build('1.0.0')]);
    const copy = join(signers.root, 'bob.request');
    await copyFile(path, copy);
    const { replaces } = await sign(copy, signers.bob);
    expect(replaces).toBe('nothing');
    await mergeInto(path, [copy], files);
    await complete(path);
    const { manifest, signers: by } = await asTwoOfTwo();
    expect(manifest).toMatchObject({ serial: 1, suggested: '1.0.0' });
    expect(by).toHaveLength(2);
  });

  it('changes no manifest until enough have signed, and says how many are missing [S3.45]', async () => {
    const path = await signers.request([await signers.build('1.0.0')]);
    await expect(complete(path)).rejects.toMatchObject({ code: 'RELEASE_THRESHOLD' });
    await expect(readFile(join(signers.site, 'manifest.json'))).rejects.toThrow('ENOENT');
    await sign(path, signers.alice); // twice by one is still one
    await expect(complete(path)).rejects.toMatchObject({ code: 'RELEASE_THRESHOLD' });
    await sign(path, signers.bob);
    await complete(path);
  });

  it('shows what the text says and how it differs from what it replaces before gpg is asked', async () => {
    await published('1.0.0');
    const wish = { kind: 'percent', percent: 5 } as const;
    const path = await signers.request([await signers.build('1.1.0')], { wish });
    const told: Countersigned[] = [];
    const stopped = countersign(
      { path, signers: [signers.bob.key.fingerprint], force: [] },
      {
        ...signers.bob.deps,
        announce: (judged) => {
          told.push(judged);
          throw new Error('the person says no');
        },
      },
    );
    await expect(stopped).rejects.toThrow('the person says no');
    expect(told[0]?.replaces).toBe('known');
    expect(told[0]?.says).toContain('offers 1.1.0 to 5 % of hosts');
    expect(told[0]?.changes).toEqual([
      expect.stringMatching(/^state 1\.1\.0 for linux/),
      'suggest 1.1.0 (was 1.0.0)',
      'offer 1.1.0 to 5 % of hosts (was 1.0.0 to all hosts)',
      expect.stringMatching(/^publish demo stable serial 2, /),
    ]);
    expect((JSON.parse(await readFile(path, 'utf8')) as SigningRequest).signatures).toHaveLength(1);
  });

  it('says when no key of the signer signed what it replaces', async () => {
    await published('1.0.0');
    const carol = await signers.signer('carol');
    expect((await sign(await signers.request([]), carol)).replaces).toBe('unknown');
  });

  const lies: readonly { name: string; change: (request: SigningRequest) => Partial<SigningRequest> }[] = [
    { name: 'hides a change', change: ({ changes }) => ({ changes: changes.slice(1) }) },
    {
      name: 'calls a version another',
      change: ({ says }) => ({ says: says.map((line) => line.replace('1.1.0', '1.0.9')) }),
    },
    { name: 'has another text', change: ({ text }) => ({ text: text.replace('"serial": 2', '"serial": 3') }) },
    { name: 'hides what it replaces', change: () => ({ previous: undefined }) },
  ];

  it.each(lies)('that $name is not signed', async ({ change }) => {
    await published('1.0.0');
    const path = await signers.request([await signers.build('1.1.0')]);
    await edit(path, change);
    await expect(sign(path, signers.bob)).rejects.toMatchObject({ code: 'RELEASE_REQUEST' });
  });

  const hidden: readonly { name: string; change: (text: string) => string }[] = [
    { name: 'a field', change: (text) => text.replace('"serial"', '"later": { "url": "elsewhere" },\n  "serial"') },
    { name: 'a field of an archive', change: (text) => text.replace('"deltas": []', '"deltas": [{}]') },
    { name: 'another spelling', change: (text) => text.replace('"serial": 2', '"serial": 2.0') },
  ];

  it.each(hidden)('whose text holds $name that its signer is not shown is not signed [S3.45]', async ({ change }) => {
    await published('1.0.0');
    const path = await signers.request([]);
    await edit(path, ({ text }) => ({ text: change(text) }));
    await expect(sign(path, signers.bob)).rejects.toMatchObject({ code: 'RELEASE_REQUEST' });
  });

  it('says when a published archive is stated anew: another address, or other counts [S3.45]', async () => {
    await published('1.0.0');
    const path = await signers.request([]);
    await edit(path, ({ text }) => ({
      text: text.replace(/"entries": \d+/, '"entries": 9').replace(/"url": \[\s*/, '$&"https://example.org/x", '),
    }));
    // Laid out as a publisher's own would be, so that nothing but the statement differs.
    await edit(path, ({ text }) => ({ text: `${JSON.stringify(JSON.parse(text), null, 2)}\n` }));
    await expect(sign(path, signers.bob)).rejects.toMatchObject({ code: 'RELEASE_REQUEST' });
  });

  it('that would strand hosts is not signed, whoever asks', async () => {
    await published('1.0.0');
    const path = await signers.request([], { expires: Date.now() + 2000 });
    const later = { ...signers.bob, deps: { ...signers.bob.deps, now: () => Date.now() + 5000 } };
    await expect(sign(path, later)).rejects.toMatchObject({ code: 'RELEASE_EXPIRED' });
  });

  it('that hosts would believe for years is not signed either, though who made it forced it', async () => {
    await published('1.0.0');
    const path = await signers.request([], { expires: Date.now() + 3650 * 24 * 60 * 60 * 1000, force: ['expires'] });
    await expect(sign(path, signers.bob)).rejects.toMatchObject({ code: 'RELEASE_EXPIRES_LATE' });
    await sign(path, signers.bob, { force: ['expires'] });
  });

  it('is refused when something else was published meanwhile', async () => {
    await published('1.0.0');
    const path = await signers.request([]);
    await sign(path, signers.bob);
    const both = { ...signers.alice.deps };
    await publishRelease(signers.options([], { threshold: 1 }), both);
    await expect(complete(path)).rejects.toMatchObject({ code: 'RELEASE_REQUEST' });
    const now = await readFile(join(signers.site, 'manifest.json'));
    await expect(sign(path, signers.bob, { published: now })).rejects.toMatchObject({ code: 'RELEASE_REQUEST' });
  });

  it('is merged with its own copies alone, and each signature once', async () => {
    const path = await signers.request([await signers.build('1.0.0')]);
    const copy = join(signers.root, 'copy.request');
    await copyFile(path, copy);
    expect((await mergeInto(path, [copy], files)).signatures).toHaveLength(1);
    await edit(copy, ({ text }) => ({ text: `${text} ` }));
    await expect(mergeInto(path, [copy], files)).rejects.toMatchObject({ code: 'RELEASE_REQUEST' });
  });

  it('is not published from a directory that lacks its archives', async () => {
    const path = await signers.request([await signers.build('1.0.0')]);
    await sign(path, signers.bob);
    await rm(join(signers.site, 'releases'), { recursive: true });
    await expect(complete(path)).rejects.toMatchObject({ code: 'RELEASE_REQUEST' });
  });

  it.each(['', '{}', '{"request":2}', 'x'.repeat(3_000_000)])('is no other file', async (content) => {
    const path = join(signers.root, 'other');
    await writeFile(path, content);
    await expect(sign(path, signers.bob)).rejects.toMatchObject({ code: 'RELEASE_REQUEST' });
  });
});

describe('publishRelease with fewer signers than last time', () => {
  it('is refused: hosts that ask for two would wait for ever [S3.45]', async () => {
    await published('1.0.0');
    const alone = publishRelease(signers.options([]), signers.alice.deps);
    await expect(alone).rejects.toMatchObject({ code: 'RELEASE_THRESHOLD' });
    expect((await asTwoOfTwo()).manifest.serial).toBe(1);
  });
});
