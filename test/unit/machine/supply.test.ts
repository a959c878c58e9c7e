import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CODES } from '../../../src/errors.ts';
import type { Run } from '../../../src/host/ports.ts';
import { run } from '../../../src/host/run.ts';
import { fetchArtifact, verifyArtifact } from '../../../src/machine/supply.ts';
import type { Transaction } from '../../../src/machine/state.ts';
import type { MadeKey } from '../trust/key-chain.ts';
import { openDesk, type Desk } from './publisher-desk.ts';
import { makeRig, type Mirror, type Rig } from './source-rig.ts';
import { refusal } from './support.ts';

const BYTES = Buffer.from('the archive of demo 2.0.0'.repeat(1000));
const OTHER = Buffer.from('the archive of other 9.9.9'.repeat(1000));

let desk: Desk;
let key: MadeKey;
let rig: Rig;
let first: Mirror;
let second: Mirror;

beforeAll(async () => {
  desk = await openDesk();
  key = await desk.key('a');
}, 60_000);
afterAll(() => desk[Symbol.asyncDispose]());
beforeEach(async () => {
  rig = await makeRig();
  first = await rig.mirror();
  second = await rig.mirror();
});
afterEach(() => rig[Symbol.asyncDispose]());

/** A transaction to the release whose archive is BYTES. */
function upgrade(): Transaction {
  const digest = createHash('sha256').update(BYTES).digest('hex');
  const facts = { os: 'linux', arch: 'amd64', libc: 'gnu', size: BYTES.length, unpackedSize: 1, entries: 1 };
  const artifact = { ...facts, url: ['demo.tar'], signature: 'demo.tar.asc', sha256: digest, deltas: [] };
  return { id: 't', action: 'upgrade', to: '2.0.0', artifact, digest } as unknown as Transaction;
}

async function put(mirror: Mirror, bytes: Buffer): Promise<void> {
  await mirror.put('demo.tar', bytes);
  await mirror.put('demo.tar.asc', await signatureOf(bytes));
}

async function signatureOf(bytes: Buffer, by = key): Promise<Buffer> {
  const path = join(desk.path, 'to-sign');
  await writeFile(path, bytes);
  return desk.gpg('--armor', '-u', by.certificate.fingerprint, '--output', '-', '--detach-sign', path);
}

async function context(...mirrors: readonly Mirror[]) {
  return rig.context(mirrors, await rig.trust([key]));
}

describe('an archive', () => {
  it('that is not there yet, though the manifest names it, is left to the next run, which finds it [F027] [P54]', async () => {
    const host = await context(first);
    const error = await refusal(fetchArtifact(upgrade(), host));
    expect([error.code, CODES[error.code].exit]).toEqual(['SOURCE_HTTP_STATUS', 75]);
    await put(first, BYTES);
    expect(await fetchArtifact(upgrade(), host)).toMatchObject({ event: 'ok' });
    expect(await verifyArtifact(upgrade(), host)).toMatchObject({ event: 'ok' });
  });

  it('that one mirror lacks comes from the next [F018]', async () => {
    await put(second, BYTES);
    const host = await context(first, second);
    await fetchArtifact(upgrade(), host);
    expect(await verifyArtifact(upgrade(), host)).toMatchObject({ event: 'ok' });
  });

  it('of which one mirror has other bytes comes from the next, though they are signed by the same key [F018] [F030]', async () => {
    await put(first, OTHER);
    await put(second, BYTES);
    const host = await context(first, second);
    await fetchArtifact(upgrade(), host);
    expect(await verifyArtifact(upgrade(), host)).toMatchObject({ event: 'ok' });
  });

  it('of which one mirror has a signature that kills gpgv is believed by the signature of the next [F018]', async () => {
    for (const mirror of [first, second]) await put(mirror, BYTES);
    let deaths = 1;
    const dying: Run = async (command, options) => {
      const ended = await run(command, options);
      return command[0] === '/usr/bin/gpgv' && deaths-- > 0
        ? { ...ended, status: undefined, signal: 'SIGABRT' }
        : ended;
    };
    const host = { ...(await context(first, second)), run: dying };
    await fetchArtifact(upgrade(), host);
    expect(await verifyArtifact(upgrade(), host)).toMatchObject({ event: 'ok' });
    const all = { ...host, run: ((command, options) => ((deaths = 1), dying(command, options))) satisfies Run };
    expect((await refusal(verifyArtifact(upgrade(), all))).code).toBe('TRUST_VERIFIER');
  });

  it('of another product, signed by a key that counts, is refused: what the manifest names is its digest [F030]', async () => {
    const same = Buffer.from(BYTES);
    same.write('X');
    for (const [bytes, code] of [
      [same, 'TRUST_DIGEST'],
      [OTHER.subarray(0, 100), 'SOURCE_PROTOCOL'],
    ] as const) {
      await put(first, bytes);
      const host = await context(first);
      const error = await refusal(fetchArtifact(upgrade(), host).then(() => verifyArtifact(upgrade(), host)));
      expect(error.code).toBe(code);
    }
  });

  it('that came whole before the run was ended is not fetched again [S1.11] [F003]', async () => {
    await put(first, BYTES);
    const host = await context(first);
    await fetchArtifact(upgrade(), host);
    const asked = () => first.server.requests.filter(({ url }) => url === '/demo.tar').length;
    await fetchArtifact(upgrade(), host);
    expect(asked()).toBe(1);
    expect(await verifyArtifact(upgrade(), host)).toMatchObject({ event: 'ok' });
  });

  it('whose signature is missing is not taken, and the signature is fetched by the next run [P40]', async () => {
    await first.put('demo.tar', BYTES);
    const host = await context(first);
    const error = await refusal(fetchArtifact(upgrade(), host));
    expect([error.code, CODES[error.code].exit]).toEqual(['SOURCE_HTTP_STATUS', 75]);
    expect(error.message).toContain('demo.tar.asc');
    await first.put('demo.tar.asc', await signatureOf(BYTES));
    await fetchArtifact(upgrade(), host);
    expect(await verifyArtifact(upgrade(), host)).toMatchObject({ event: 'ok' });
  });

  it('whose signature is over other bytes, or not of a trusted key, is refused [P40] [S2.30]', async () => {
    await put(first, BYTES);
    await first.put('demo.tar.asc', await signatureOf(OTHER));
    const host = await context(first);
    await fetchArtifact(upgrade(), host);
    expect((await refusal(verifyArtifact(upgrade(), host))).code).toBe('TRUST_BAD_SIGNATURE');
    const stranger = await desk.key('stranger');
    const elsewhere = rig.context([first], await rig.trust([stranger]));
    await first.put('demo.tar.asc', await signatureOf(BYTES));
    await fetchArtifact(upgrade(), elsewhere);
    expect((await refusal(verifyArtifact(upgrade(), elsewhere))).code).toMatch(/^TRUST_/);
  });

  it('whose key expires between its fetch and its verification is refused by the time of the latter [F043]', async () => {
    const day = 24 * 3_600_000;
    const ending = await desk.key('ending', new Date(Date.now() - day).toISOString(), '30d');
    await first.put('demo.tar', BYTES);
    await first.put('demo.tar.asc', await signatureOf(BYTES, ending));
    const host = rig.context([first], await rig.trust([ending]));
    await fetchArtifact(upgrade(), host);
    const later = { ...host, clock: { ...host.clock, now: () => Date.now() + 40 * day } };
    expect((await refusal(verifyArtifact(upgrade(), later))).code).toBe('TRUST_KEY_EXPIRED');
    expect(await verifyArtifact(upgrade(), host)).toMatchObject({ event: 'ok' });
  });
});
