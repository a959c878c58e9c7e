/** What a look tells of: servers that mean harm, and a version that is withdrawn. */
import { mkdir, symlink } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CODES, UpdaterError } from '../../../src/errors.ts';
import type { Run } from '../../../src/host/ports.ts';
import { run } from '../../../src/host/run.ts';
import type { MadeKey } from '../trust/key-chain.ts';
import { openDesk, type Desk } from './publisher-desk.ts';
import { makeRig, manifestOf, type Mirror, type Rig } from './source-rig.ts';

let desk: Desk;
let a: MadeKey;
let b: MadeKey;
let rig: Rig;
let first: Mirror;
let second: Mirror;

beforeAll(async () => {
  desk = await openDesk();
  a = await desk.key('a');
  b = await desk.key('b');
}, 60_000);
afterAll(() => desk[Symbol.asyncDispose]());
beforeEach(async () => {
  rig = await makeRig();
  first = await rig.mirror();
  second = await rig.mirror();
});
afterEach(() => rig[Symbol.asyncDispose]());

/** A gpgv that dies of what `isDeadly`: its real faults are mended one after the other, and there is always a next one. */
function dyingOf(isDeadly: (document: string) => boolean): Run {
  return async (command, options = {}) => {
    const document = Buffer.from(options.input ?? '').toString();
    const ended = await run(command, options);
    if (command[0] !== '/usr/bin/gpgv' || !isDeadly(document)) return ended;
    return { ...ended, status: undefined, signal: 'SIGABRT' };
  };
}

describe('a mirror whose signature kills gpgv', () => {
  it('does not keep the manifest of another from this host, and is warned of', async () => {
    const trust = await rig.trust([a]);
    await desk.offer(first, manifestOf(6, { deadly: true }), a);
    await desk.offer(second, manifestOf(5), a);
    const at = { run: dyingOf((document) => document.includes('deadly')) };
    expect((await rig.look([first, second], trust, at)).manifest.serial).toBe(5);
    expect((await rig.remembered())?.warnings).toMatchObject([
      { code: 'TRUST_VERIFIER', message: expect.stringContaining(`SIGABRT (from ${first.url})`) as string },
    ]);
  });

  it('does not keep the next key set of another from this host', async () => {
    const trust = await rig.trust([a]);
    const manifest = manifestOf(5);
    for (const mirror of [first, second]) {
      await desk.publishSet(mirror, 2, [b], [a, b]);
      await desk.offer(mirror, manifest, b);
    }
    let deaths = 1;
    const at = { run: dyingOf((document) => document.includes('"keys"') && deaths-- > 0) };
    expect((await rig.look([first, second], trust, at)).manifest.serial).toBe(5);
  });

  it('is no other thing than a gpgv that is broken where all are judged so: refused, and said', async () => {
    const trust = await rig.trust([a]);
    const manifest = manifestOf(5);
    for (const mirror of [first, second]) await desk.offer(mirror, manifest, a);
    const refused = rig.look([first, second], trust, { run: dyingOf(() => true) });
    await expect(refused).rejects.toMatchObject({ code: 'TRUST_VERIFIER' });
  });
});

describe('a manifest by a key that has left', () => {
  it('is refused without the advice to add it: that would make the walk begin again [F044]', async () => {
    const trust = await rig.trust([a]);
    await desk.publishSet(first, 2, [b], [a, b]);
    await desk.offer(first, manifestOf(5), b);
    await rig.look([first], trust);
    await desk.offer(first, manifestOf(6), a);
    await expect(rig.look([first], trust)).rejects.toMatchObject({
      code: 'TRUST_THRESHOLD',
      remedy: expect.stringMatching(/key set 2.*keys\/3\.json.*Add no key/) as string,
    });
  });
});

describe('a source that serves no manifest', () => {
  it('is told of once, and where there is no other one without a word on where it came from', async () => {
    await first.put('manifest.json', '<html>login');
    const refused: unknown = await rig.look([first], await rig.trust([a])).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(UpdaterError);
    const { message = '' } = (await rig.remembered())?.failure ?? {};
    expect(message.match(/Unexpected token/g)).toHaveLength(1);
    expect(message).not.toContain('(from');
  });
});

describe('a version that runs and is withdrawn', () => {
  it('is told of once in the journal, with the reason, and left where it is', async () => {
    const trust = await rig.trust([a]);
    await mkdir(`${rig.layout.versions}/1.0.0`);
    await symlink('versions/1.0.0', rig.layout.current);
    const stated = JSON.parse(manifestOf(5)) as { releases: object[] };
    const [release] = stated.releases.map((one) => ({ ...one, notes: 'withdrawn: loses its index; the first' }));
    await desk.offer(first, manifestOf(4), a);
    await rig.look([first], trust);
    await desk.offer(first, manifestOf(5, { withdrawn: ['1.0.0'], releases: [release] }), a);
    for (let looks = 0; looks < 2; looks++) await rig.look([first], trust);
    const told = rig.logged.filter(({ id }) => id === CODES.POLICY_WITHDRAWN.messageId);
    expect(told.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^1\.0\.0, which runs, was withdrawn by its publisher: loses its index; the first\. .*rollback demo/,
      ),
    ]);
    expect((await rig.remembered())?.install).toBe(false);
  });
});
