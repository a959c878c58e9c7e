import { EventEmitter, once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Run } from '../../../src/host/ports.ts';
import { completePublication } from '../../../src/release/complete.ts';
import { countersign } from '../../../src/release/countersign.ts';
import { publishRelease, requestPublication, signaturesOf } from '../../../src/release/publish.ts';
import { requestText } from '../../../src/release/request.ts';
import { placeKeySet, planRotation, requestRotation, rotate } from '../../../src/release/rotate.ts';
import type { RotateOptions, Rotation } from '../../../src/release/rotate.ts';
import { signRelease } from '../../../src/release/sign.ts';
import { envelopeText } from '../../../src/release/text.ts';
import { directorySite, verifyRelease } from '../../../src/release/verify.ts';
import type { VerifyReport } from '../../../src/release/verify.ts';
import type { TrustedKey } from '../../../src/settings.ts';
import { verifySuccessor } from '../../../src/trust/rotation.ts';
import { loadKeys } from '../../../src/trust/keys.ts';
import { makeKey } from '../../rig/publisher.ts';
import { files, makeSigners } from './signers.ts';
import type { Signer, Signers } from './signers.ts';

const DAY = 24 * 60 * 60 * 1000;
let signers: Signers;
let carol: Signer;

beforeEach(async () => {
  signers = await makeSigners();
  carol = await signers.signer('carol');
});

afterEach(() => signers[Symbol.asyncDispose]());

function options(by: readonly Signer[], more: Partial<RotateOptions> = {}): RotateOptions {
  const fixed = { directory: signers.site, name: 'demo', add: [], remove: [], threshold: undefined };
  return { ...fixed, signers: by.map(({ key }) => key.fingerprint), expires: Date.now() + 365 * DAY, ...more };
}

/** Alice states that operators have her key, and no other. */
function first(): Promise<Rotation> {
  return rotate(options([signers.alice], { add: [signers.alice.key] }), signers.alice.deps);
}

/** From alice to carol, each on a machine of her own. */
async function toCarol(): Promise<void> {
  const { alice } = signers;
  const wish = options([alice], { add: [carol.key], remove: [alice.key.fingerprint] });
  const { request } = await requestRotation(wish, alice.deps);
  const path = join(signers.root, 'keys.request');
  await writeFile(path, requestText(request));
  await countersign({ path, signers: [carol.key.fingerprint], force: [] }, carol.deps);
  const done = { directory: signers.site, path, keys: [], threshold: undefined, force: [] };
  await completePublication(done, alice.deps);
}

function verify(keys: readonly TrustedKey[], keySet?: number): Promise<VerifyReport> {
  const site = directorySite(signers.site);
  return verifyRelease({ site, keys, threshold: 1, keySet, now: Date.now() }, signers.alice.deps.gpgv);
}

describe('rotate', () => {
  it('makes a key set that hosts with the keys before walk to, signed by both thresholds on two machines', async () => {
    const { alice } = signers;
    await first();
    await toCarol();
    const before = { number: 1, keys: await loadKeys([alice.key]), threshold: 1 };
    const envelope = await readFile(join(signers.site, 'keys/2.json'));
    const trust = { ...alice.deps.gpgv, now: Date.now() };
    const { set } = await verifySuccessor(envelope, before, 'demo', trust);
    expect(set).toMatchObject({ number: 2, threshold: 1, keys: [{ fingerprint: carol.key.fingerprint }] });
  });

  it('warns of archives that no key of the new set has signed, until one of its keys has', async () => {
    const { alice, root } = signers;
    const { gpg } = alice.deps;
    const dave = await makeKey(gpg, 'Dave <dave@example.org>', join(root, 'dave.asc'));
    const release = await signers.build('1.0.0');
    await publishRelease(signers.options([release]), alice.deps);
    await first();
    const toDave = options([alice], { add: [dave], remove: [alice.key.fingerprint] });
    const { warnings } = await planRotation(toDave, alice.deps, 'others');
    expect(warnings.join('\n')).toMatch(
      /^warning: no key of key set 2 has signed [^]*  1\.0\.0: releases\/1\.0\.0\/[^]*release sign ARCHIVE -u KEY[^]*release publish .*site/,
    );
    expect((await planRotation(options([alice], { add: [dave] }), alice.deps, 'others')).warnings).toEqual([]);
    const archive = release.replace(/\.release\.json$/, '.tar.zst');
    await signRelease({ archive, signers: [alice.key.fingerprint, dave.fingerprint] }, gpg, files);
    await publishRelease(signers.options([release]), alice.deps);
    expect((await planRotation(toDave, alice.deps, 'others')).warnings).toEqual([]);
  });

  it('leads a host from the first key to what the newest key signs', async () => {
    const { alice } = signers;
    const release = await signers.build('1.0.0');
    await publishRelease(signers.options([release]), alice.deps);
    await first();
    await toCarol();
    await expect(verify([alice.key])).rejects.toMatchObject({ exit: 5 });
    const archive = release.replace('.release.json', '.tar.zst');
    await signRelease({ archive, signers: [carol.key.fingerprint] }, carol.deps.gpg, files);
    const by = { signers: [carol.key.fingerprint], otherKeys: [alice.key] };
    await publishRelease(signers.options([release], by), carol.deps);
    expect(await verify([alice.key])).toMatchObject({ keySet: 2, signers: [carol.key.fingerprint] });
    expect(await verify([carol.key], 2)).toMatchObject({ keySet: 2 });
  });

  const refused: readonly { name: string; code?: string; wish: () => Promise<unknown> }[] = [
    {
      name: 'a set that the threshold before has not signed',
      wish: () => rotate(options([carol], { add: [carol.key] }), carol.deps),
    },
    {
      name: 'a threshold that its own keys cannot meet',
      wish: () => rotate(options([signers.alice], { threshold: 2 }), signers.alice.deps),
    },
    {
      name: 'a set that its own threshold has not signed',
      wish: () => {
        const wish = { add: [carol.key], remove: [signers.alice.key.fingerprint] };
        return rotate(options([signers.alice], wish), signers.alice.deps);
      },
    },
    {
      name: 'to remove a key that is not there',
      wish: () => rotate(options([signers.alice], { remove: [carol.key.fingerprint] }), signers.alice.deps),
    },
    {
      name: 'a set that would be believed for ten years',
      code: 'RELEASE_EXPIRES_LATE',
      wish: () => rotate(options([signers.alice], { expires: Date.now() + 3650 * DAY }), signers.alice.deps),
    },
    {
      name: 'a set that has expired',
      wish: () => rotate(options([signers.alice], { expires: Date.now() - DAY }), signers.alice.deps),
    },
  ];

  it.each(refused)(
    'refuses $name, and leaves the key sets as they were',
    async ({ code = 'RELEASE_KEY_SET', wish }) => {
      await first();
      await expect(wish()).rejects.toMatchObject({ code });
      await expect(readFile(join(signers.site, 'keys/2.json'))).rejects.toThrow('ENOENT');
    },
  );

  it('of two at the same moment makes one key set: the other is told to rotate again', async () => {
    await first();
    const { alice, site } = signers;
    const plans = await Promise.all(
      [300, 400].map((days) => planRotation(options([alice], { expires: Date.now() + days * DAY }), alice.deps)),
    );
    const envelopes = await Promise.all(
      plans.map(async ({ text }) => envelopeText(text, await signaturesOf(text, [alice.key.fingerprint], alice.deps))),
    );
    const asks = new EventEmitter();
    const asking: Run = (command, how) => {
      if (command[0] === 'flock') asks.emit('lock');
      return alice.deps.gpgv.run(command, how);
    };
    const other = { ...alice.deps, gpgv: { ...alice.deps.gpgv, run: asking } };
    let second: Promise<unknown> | undefined;
    const interrupted: typeof files = {
      ...files,
      // The last look is over: now the other comes, and gets as far as the lock lets it.
      replace: async (path, bytes, mode) => {
        const locking = once(asks, 'lock');
        second = placeKeySet(site, plans[1] as Rotation, envelopes[1] ?? '', other);
        await Promise.race([locking, second]);
        await files.replace(path, bytes, mode);
      },
    };
    await placeKeySet(site, plans[0] as Rotation, envelopes[0] ?? '', { ...alice.deps, files: interrupted });
    await expect(second).rejects.toMatchObject({ code: 'RELEASE_KEY_SET', message: 'key set 2 is published already' });
    expect(await readFile(join(site, 'keys/2.json'), 'utf8')).toBe(envelopes[0]);
  });

  it('says that signers are missing before anybody is asked for a passphrase', async () => {
    await first();
    const wish = options([carol], { add: [carol.key] });
    await expect(planRotation(wish, carol.deps)).rejects.toMatchObject({ code: 'RELEASE_KEY_SET' });
    expect((await planRotation(wish, carol.deps, 'others')).set.number).toBe(2);
  });

  it('is not finished by a request that only the old keys signed', async () => {
    await first();
    const { alice } = signers;
    const { request } = await requestRotation(options([alice], { add: [carol.key], threshold: 2 }), alice.deps);
    const path = join(signers.root, 'keys.request');
    await writeFile(path, requestText(request));
    const done = { directory: signers.site, path, keys: [], threshold: undefined, force: [] };
    await expect(completePublication(done, alice.deps)).rejects.toMatchObject({ code: 'RELEASE_KEY_SET' });
  });
});

describe('publishRelease in a directory with key sets', () => {
  it('needs the threshold of the newest set, and counts no key that has left it', async () => {
    const { alice } = signers;
    await first();
    await publishRelease(signers.options([await signers.build('1.0.0')]), alice.deps);
    await rotate(options([alice], { add: [alice.key], threshold: 1 }), alice.deps);
    await toCarolFrom2();
    await expect(publishRelease(signers.options([]), alice.deps)).rejects.toMatchObject({ code: 'RELEASE_THRESHOLD' });
    const { request } = await requestPublication(
      signers.options([await signers.build('1.0.0')], { keep: 1 }),
      alice.deps,
    ).catch((error: unknown) => ({ request: error }));
    expect(request).toMatchObject({ code: 'RELEASE_THRESHOLD' }); // alice signed the archive, too
  });

  it('believes no key set that somebody planted', async () => {
    const { alice } = signers;
    await publishRelease(signers.options([await signers.build('1.0.0')]), alice.deps);
    await mkdir(join(signers.site, 'keys'));
    const planted = { ...options([carol], { add: [carol.key, alice.key] }), directory: join(signers.root, 'evil') };
    await rotate(planted, carol.deps);
    await writeFile(join(signers.site, 'keys/1.json'), await readFile(join(signers.root, 'evil/keys/1.json')));
    await expect(publishRelease(signers.options([]), alice.deps)).rejects.toMatchObject({ code: 'RELEASE_KEY_SET' });
  });
});

async function toCarolFrom2(): Promise<void> {
  await toCarol();
  expect(JSON.parse(await readFile(join(signers.site, 'keys/3.json'), 'utf8'))).toHaveProperty('manifest');
}
