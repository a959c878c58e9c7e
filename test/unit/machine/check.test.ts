import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from 'vitest';
import { CODES } from '../../../src/errors.ts';
import { loadKeyState } from '../../../src/trust/key-state.ts';
import { loadTrustState } from '../../../src/trust/state.ts';
import { signText, type MadeKey } from '../trust/key-chain.ts';
import { serve, status } from '../../rig/http/misbehave.ts';
import { startServer } from '../../rig/http/server.ts';
import { openDesk, type Desk } from './publisher-desk.ts';
import { makeRig, manifestOf, type Mirror, type Rig } from './source-rig.ts';
import { refusal } from './support.ts';

const NOW = new Date().toISOString();
const DAY = 24 * 3_600_000;

let desk: Desk;
let a: MadeKey;
let b: MadeKey;
let c: MadeKey;
let ending: MadeKey;
let rig: Rig;
let first: Mirror;
let second: Mirror;

beforeAll(async () => {
  desk = await openDesk();
  a = await desk.key('a');
  b = await desk.key('b');
  c = await desk.key('c');
  ending = await desk.key('ending', new Date(Date.now() - 10 * DAY).toISOString(), '30d');
}, 60_000);
afterAll(() => desk[Symbol.asyncDispose]());
beforeEach(async () => {
  rig = await makeRig();
  first = await rig.mirror();
  second = await rig.mirror();
});
afterEach(() => rig[Symbol.asyncDispose]());

describe('a look at several mirrors', () => {
  it('takes the highest serial, whichever mirror has it [F028]', async () => {
    const trust = await rig.trust([a]);
    await desk.offer(first, manifestOf(3), a);
    await desk.offer(second, manifestOf(5), a);
    expect((await rig.look([first, second], trust)).manifest.serial).toBe(5);
    expect((await rig.look([second, first], trust)).manifest.serial).toBe(5);
    expect(await loadTrustState(rig.layout.trustState)).toMatchObject({ serial: 5 });
  });

  it('is not held back by a mirror that is down, or that serves what nobody signed, and warns of the latter [F028] [F017]', async () => {
    const trust = await rig.trust([a]);
    await desk.offer(second, manifestOf(5), a);
    expect((await rig.look([first, second], trust)).manifest.serial).toBe(5);
    expect((await rig.remembered())?.warnings).toBeUndefined();
    await desk.offer(first, manifestOf(9), b);
    expect((await rig.look([first, second], trust)).manifest.serial).toBe(5);
    const message = expect.stringContaining(`(from ${first.url})`) as string;
    expect((await rig.remembered())?.warnings).toMatchObject([{ code: 'TRUST_THRESHOLD', message }]);
  });

  it('does not warn of a mirror that is behind what was seen before', async () => {
    const trust = await rig.trust([a]);
    await desk.offer(first, manifestOf(5), a);
    await rig.look([first], trust);
    await desk.offer(second, manifestOf(4), a);
    expect((await rig.look([second, first], trust)).manifest.serial).toBe(5);
    expect((await rig.remembered())?.warnings).toBeUndefined();
  });

  it('refuses two manifests under one serial, on two mirrors or one after the other, and keeps its floor [F036]', async () => {
    const trust = await rig.trust([a]);
    await desk.offer(first, manifestOf(5), a);
    await desk.offer(second, manifestOf(5, { later: true }), a);
    const both = await refusal(rig.look([first, second], trust));
    expect(both.code).toBe('TRUST_EQUIVOCATION');
    for (const { url } of [first, second]) expect(both.message).toContain(`(from ${url})`);
    expect(await loadTrustState(rig.layout.trustState)).toBeUndefined();
    await rig.look([first], trust);
    expect((await refusal(rig.look([second], trust))).code).toBe('TRUST_EQUIVOCATION');
    expect((await rig.look([first], trust)).manifest.serial).toBe(5);
  });

  it('refuses what all mirrors are behind with, and what all have let expire [F029] [F035]', async () => {
    const trust = await rig.trust([a]);
    await desk.offer(first, manifestOf(5), a);
    await rig.look([first], trust);
    for (const mirror of [first, second]) await desk.offer(mirror, manifestOf(4), a);
    expect((await refusal(rig.look([first, second], trust))).code).toBe('TRUST_SERIAL');
    for (const mirror of [first, second]) await desk.offer(mirror, manifestOf(6, {}, -9, -1), a);
    expect((await refusal(rig.look([first, second], trust))).code).toBe('TRUST_EXPIRED');
    expect(await loadTrustState(rig.layout.trustState)).toMatchObject({ serial: 5 });
  });

  it('asks each mirror only for what has changed since', async () => {
    const trust = await rig.trust([a]);
    for (const mirror of [first, second]) await desk.offer(mirror, manifestOf(5), a);
    const same = await signText(desk.gpg, manifestOf(6), [a], NOW);
    for (const mirror of [first, second]) await mirror.put('manifest.json', same);
    await rig.look([first, second], trust);
    const sent = [first.server.bodyBytes(), second.server.bodyBytes()];
    expect((await rig.look([first, second], trust)).manifest.serial).toBe(6);
    expect([first.server.bodyBytes(), second.server.bodyBytes()]).toEqual(sent);
  });

  it('says that no mirror was reached, when none was [F017]', async () => {
    expect((await refusal(rig.look([first, second], await rig.trust([a])))).code).toBe('SOURCE_HTTP_STATUS');
    expect((await rig.remembered())?.failure).toMatchObject({ code: 'SOURCE_HTTP_STATUS' });
  });
});

describe('a look at a publisher that rotates its keys', () => {
  it('walks to the newest key set, five steps in two orders, and believes its keys alone [F044] [F045]', async () => {
    const trust = await rig.trust([a]);
    const order = [a, b, c, a, b, c];
    for (let number = 2; number <= 6; number++) {
      const [before, now] = [order[number - 2], order[number - 1]] as [MadeKey, MadeKey];
      await desk.publishSet(first, number, [now], [before, now]);
    }
    await desk.offer(first, manifestOf(5), c);
    expect((await rig.look([first], trust)).manifest.serial).toBe(5);
    expect(rig.orders()).toBe(2);
    expect((await loadKeyState(rig.layout.keyState))?.steps.map(({ number }) => number)).toEqual([2, 3, 4, 5, 6]);
    await desk.offer(first, manifestOf(6), a);
    expect((await refusal(rig.look([first], trust))).code).toBe('TRUST_THRESHOLD');
    await desk.offer(first, manifestOf(6), c);
    await rig.look([first], trust);
    expect(rig.orders()).toBe(4);
  });

  it('does not forget how far it has walked when the source forgets [F044]', async () => {
    const trust = await rig.trust([a]);
    await desk.publishSet(first, 2, [b], [a, b]);
    await desk.offer(first, manifestOf(5), b);
    await rig.look([first], trust);
    await desk.offer(second, manifestOf(6), a);
    expect((await refusal(rig.look([second], trust))).code).toBe('TRUST_THRESHOLD');
  });

  it('says once in the journal that a key set counts now', async () => {
    const trust = await rig.trust([a]);
    await desk.publishSet(first, 2, [b], [a, b]);
    await desk.offer(first, manifestOf(5), b);
    await rig.look([first], trust);
    await rig.look([first], trust);
    const told = rig.logged.filter(({ level }) => level === 'milestone');
    expect(told.map(({ message }) => message)).toEqual([
      'Key set 2 of demo follows and counts from now on: 1 of 1 keys.',
    ]);
    expect(rig.logged.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  it('stays where it is when the next key set does not follow, says so once, and asks the other mirrors [F044]', async () => {
    const trust = await rig.trust([a]);
    await desk.publishSet(first, 2, [b], [b]);
    await desk.offer(first, manifestOf(5), a);
    expect((await rig.look([first], trust)).manifest.serial).toBe(5);
    expect((await rig.remembered())?.warnings).toMatchObject([{ code: 'TRUST_KEY_CHAIN' }]);
    await rig.look([first], trust);
    const { messageId } = CODES.TRUST_KEY_CHAIN;
    expect(rig.logged.filter(({ id }) => id === messageId)).toHaveLength(1);
    await desk.publishSet(second, 2, [b], [a, b]);
    await desk.offer(second, manifestOf(6), b);
    expect((await rig.look([first, second], trust)).manifest.serial).toBe(6);
    expect((await rig.remembered())?.warnings).toMatchObject([{ code: 'TRUST_THRESHOLD' }]);
  });

  it('names the key set that does not follow when the manifest cannot be believed without it [F044]', async () => {
    const trust = await rig.trust([a]);
    await desk.publishSet(first, 2, [b], [b]);
    await desk.offer(first, manifestOf(5), b);
    const error = await refusal(rig.look([first], trust));
    expect(error.code).toBe('TRUST_KEY_CHAIN');
    expect(error.message).toContain('the manifest is signed by 0');
    await first.put('keys/2.json', '<html>not found</html>');
    expect((await refusal(rig.look([first], trust))).code).toBe('TRUST_ENVELOPE');
  });

  it('needs no key set that cannot be had: the keys that it has suffice [P41]', async () => {
    const trust = await rig.trust([a]);
    const manifest = await signText(desk.gpg, manifestOf(5), [a], NOW);
    await using server = await startServer((request, response) =>
      (request.url === '/manifest.json' ? serve(manifest, '"v1"') : status(503))(request, response),
    );
    const mirror = { url: `${server.origin}/manifest.json` } as Mirror;
    expect((await rig.look([mirror], trust)).manifest.serial).toBe(5);
    expect(server.requests.map(({ url }) => url)).toContain('/keys/2.json');
    expect(rig.logged.filter(({ level }) => level === 'milestone')).toEqual([]);
  });

  it('takes no update by a key set that is out of date, and says whose turn it is [F029]', async () => {
    const trust = await rig.trust([a]);
    await desk.publishSet(first, 2, [b], [a, b], '2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z');
    await desk.offer(first, manifestOf(5), b);
    const error = await refusal(rig.look([first], trust));
    expect(error.code).toBe('TRUST_KEYS_EXPIRED');
    expect(error.remedy).toContain('keys/3.json');
    await desk.publishSet(first, 3, [c], [b, c]);
    await desk.offer(first, manifestOf(5), c);
    expect((await rig.look([first], trust)).manifest.serial).toBe(5);
  });

  it('walks again from what the operator trusts now, when he changes it', async () => {
    await desk.publishSet(first, 2, [b], [a, b]);
    await desk.offer(first, manifestOf(5), b);
    await rig.look([first], await rig.trust([a]));
    await desk.offer(first, manifestOf(6), c);
    const byHand = await rig.trust([c], 1, 7);
    expect((await rig.look([first], byHand)).manifest.serial).toBe(6);
    await desk.offer(first, manifestOf(7), b);
    expect((await refusal(rig.look([first], byHand))).code).toBe('TRUST_THRESHOLD');
  });

  it('takes a damaged memory of the walk for what it is, never for a new beginning', async () => {
    const trust = await rig.trust([a]);
    await desk.publishSet(first, 2, [b], [a, b]);
    await desk.offer(first, manifestOf(5), b);
    await rig.look([first], trust);
    const text = await readFile(rig.layout.keyState, 'utf8');
    for (const damaged of ['', text.slice(0, 40), text.replace('expires', 'expired'), '{}']) {
      await writeFile(rig.layout.keyState, damaged);
      expect((await refusal(rig.look([first], trust))).code).toBe('HOST_STATE');
    }
    await writeFile(rig.layout.keyState, text);
    await rig.look([first], trust);
  });
});

describe('before anything goes out of date', () => {
  it('a manifest, a key set and a key are warned of, once in the journal and for as long as it lasts in the memory', async () => {
    const trust = await rig.trust([a]);
    const soon = new Date(Date.now() + 20 * DAY).toISOString();
    const at = new Date(Date.now() - DAY).toISOString();
    await desk.publishSet(first, 2, [ending], [a, ending], at, soon);
    await desk.offer(first, manifestOf(5, {}, 0, 1), ending);
    await desk.offer(first, manifestOf(6, {}, -9, 1), ending);
    for (let looks = 0; looks < 2; looks++) await rig.look([first], trust);
    const warnings = (await rig.remembered())?.warnings ?? [];
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringContaining('statement of what is on offer expires on'),
      expect.stringContaining('key set 2 expires on'),
      expect.stringContaining(`the trusted key ${ending.certificate.fingerprint} expires on`),
    ]);
    const { messageId } = CODES.TRUST_EXPIRES_SOON;
    expect(rig.logged.filter(({ id }) => id === messageId)).toHaveLength(3);
  });
});
