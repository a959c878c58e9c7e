import { mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseArgs } from '../../../src/cli/args.ts';
import type { CommandOf } from '../../../src/cli/command.ts';
import type { Host } from '../../../src/cli/host.ts';
import { keys } from '../../../src/cli/keys.ts';
import type { KeysReport } from '../../../src/cli/keys-report.ts';
import type { Line } from '../../../src/cli/output.ts';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { layoutAt } from '../../../src/layout.ts';
import type { NodeName } from '../../../src/release.ts';
import { nextKeyState, saveKeyState } from '../../../src/trust/key-state.ts';
import { certificatesOf, keySetText } from '../../../src/trust/key-set.ts';
import { exportKey, makeKeyAt, setOf, signText, type MadeKey } from '../trust/key-chain.ts';
import { realGpg, scratch, type Gpg, type Scratch } from '../trust/support.ts';

let desk: Scratch;
let gpg: Gpg;
let a: MadeKey;
let b: MadeKey;
let expired: MadeKey;
let place: Scratch;
let said: string;
let answered: unknown;

beforeAll(async () => {
  desk = await scratch();
  gpg = await realGpg(desk.path);
  a = await makeKeyAt(gpg, 'a', '2024-01-01T00:00:00Z');
  b = await makeKeyAt(gpg, 'b', '2024-01-01T00:00:00Z');
  expired = await makeKeyAt(gpg, 'expired', '2024-01-01T00:00:00Z', '30d');
}, 60_000);
afterAll(async () => {
  await gpg[Symbol.asyncDispose]();
  await desk[Symbol.asyncDispose]();
});
beforeEach(async () => {
  place = await scratch();
  const { keys: keysDirectory, nodes } = layoutAt(place.path);
  for (const path of [keysDirectory, nodes, layout().state]) await mkdir(path, { recursive: true });
});
afterEach(() => place[Symbol.asyncDispose]());

const layout = () => layoutAt(place.path).node('demo' as NodeName);
const nodeFile = (node = 'demo') => join(layoutAt(place.path).nodes, `${node}.toml`);
const inKeys = (name: string) => join(layoutAt(place.path).keys, name);
const fingerprintOf = ({ certificate }: MadeKey) => certificate.fingerprint;

async function configure(trusted: readonly MadeKey[], threshold = 1, node = 'demo'): Promise<void> {
  const lines = trusted.map((key) => `{ file = "${key.user}.asc", fingerprint = "${fingerprintOf(key)}" }`);
  await writeFile(
    nodeFile(node),
    `binary = "bin/demod"\n[source]\nurl = "https://example.org/manifest.json"\n[trust]\nthreshold = ${threshold}\nkeys = [${lines.join(', ')}]\n`,
  );
  for (const key of trusted) await writeFile(inKeys(`${key.user}.asc`), key.armoured, { mode: 0o644 });
}

async function configureTogether(trusted: readonly MadeKey[], threshold = 1): Promise<void> {
  await configure(trusted, threshold);
  const text = await readFile(nodeFile(), 'utf8');
  await writeFile(nodeFile(), text.replaceAll(/file = "[^"]*"/g, 'file = "both.asc"'));
  for (const key of trusted) await rm(inKeys(`${key.user}.asc`));
  await writeFile(inKeys('both.asc'), trusted.map(({ armoured }) => armoured).join(''), { mode: 0o644 });
}

async function handed({ armoured, user }: MadeKey): Promise<string> {
  const path = join(place.path, `given-${user}.asc`);
  await writeFile(path, armoured, { mode: 0o666 });
  return path;
}

async function type(...words: readonly string[]): Promise<number> {
  const { command, format } = await parseArgs(['keys', ...words], '1');
  said = '';
  const note = (lines: readonly Line[]): void => {
    said += lines.map((line) => `${typeof line === 'string' ? line : line.text}\n`).join('');
  };
  const host = {
    argv: ['keys', ...words],
    env: {},
    uid: process.getuid?.() ?? 0,
    layout: layoutAt(place.path),
    run,
    clock: () => ({ now: () => Date.now() }),
    files: () => Promise.resolve(durableFiles(run)),
    output: {
      print: note,
      complain: note,
      json: (value: unknown) => {
        answered = value;
      },
    },
  } as unknown as Host;
  return keys(command as CommandOf<'keys'>, format, host);
}

async function refusalOf(...words: readonly string[]): Promise<unknown> {
  return type(...words).then(
    () => expect.unreachable('it was done'),
    (error: unknown) => error,
  );
}

async function walkTo(number: number, set: readonly MadeKey[], expires = '2030-01-01T00:00:00Z'): Promise<void> {
  const stated = setOf({ number, keys: set, at: '2026-01-01T00:00:00Z', expires });
  const text = keySetText(stated);
  const trust = { keySet: 1, threshold: 1, keys: [{ file: inKeys('a.asc'), fingerprint: fingerprintOf(a) }] };
  const state = nextKeyState({ set: stated, text, keys: certificatesOf(stated) }, undefined, trust, Date.now());
  await saveKeyState(layout().keyState, state, durableFiles(run));
}

describe('keys list', () => {
  it('says which keys count, their state, and where they came from', async () => {
    await configure([a, expired]);
    expect(await type('list')).toBe(0);
    expect(said).toContain('demo believes what 1 of 2 keys sign: keys.d (key set 1).');
    expect(said).toMatch(new RegExp(`${fingerprintOf(a)} +ed25519 +good +does not expire +a +${inKeys('a.asc')}`));
    expect(said).toMatch(new RegExp(`${fingerprintOf(expired)} +ed25519 +expired +since 2024-01-31`));
  });

  it('tells how the key set that was walked to relates to keys.d', async () => {
    await configure([a]);
    await walkTo(3, [b]);
    await type('list');
    expect(said).toContain('demo believes what 1 of 1 keys sign: key set 3, walked to from keys.d.');
    expect(said).toContain('Where the walk begins');
    await type('list', '--json');
    const report = answered as KeysReport;
    expect(report).toMatchObject({
      counts: 'walked',
      enough: true,
      walked: { keySet: 3, keys: [{ fingerprint: fingerprintOf(b) }] },
    });
  });

  it('says that a walk from other keys does not count any more, and before a change what it costs', async () => {
    await configure([a]);
    await walkTo(3, [b]);
    await type('add', await handed(b), '--fingerprint', fingerprintOf(b), '--dry-run');
    expect(said).toContain('demo had walked to key set 3. Who holds a key that was removed since');
    await configure([a, b]);
    await type('list');
    expect(said).toContain('had walked to key set 3 from other keys');
    expect(said).toContain('keys.d (key set 1)');
  });

  it('shows a key file that is no good instead of giving up [F042]', async () => {
    await configure([a, b]);
    await writeFile(inKeys('b.asc'), a.armoured);
    expect(await type('list', '--json')).toBe(0);
    expect(answered).toMatchObject({ operator: { keys: [{ state: 'good' }, { state: 'unreadable' }] } });
  });
});

describe('keys verify', () => {
  it('ends with 0 when enough keys can sign and the last manifest is signed by them, else with 5', async () => {
    await configure([a]);
    expect(await type('verify')).toBe(0);
    expect(said).toContain('none was verified');
    await writeFile(layout().manifest, await signText(gpg, 'what was on offer', [a], '2025-01-01T00:00:00Z'));
    expect(await type('verify', '--json')).toBe(0);
    expect(answered).toMatchObject({ good: true, manifest: 'signed' });
    await writeFile(layout().manifest, await signText(gpg, 'what was on offer', [b], '2025-01-01T00:00:00Z'));
    expect(await type('verify', '--json')).toBe(5);
    expect(answered).toMatchObject({ good: false, manifest: { code: 'TRUST_THRESHOLD' } });
  });

  it('ends with 5 when too few keys can sign, or the key set is out of date', async () => {
    await configure([a, expired], 2);
    expect(await type('verify')).toBe(5);
    expect(said).toContain('expired on 2024-01-31');
    await configure([a]);
    await walkTo(2, [b], '2026-02-01T00:00:00Z');
    expect(await type('verify')).toBe(5);
  });
});

describe('keys add', () => {
  it('shows what changes, then puts the file into keys.d and the line into the node’s file', async () => {
    await configure([a]);
    const before = await readFile(nodeFile(), 'utf8');
    const words = [
      'add',
      await handed(b),
      '--fingerprint',
      fingerprintOf(b)
        .replace(/(.{4})/g, '$1 ')
        .toLowerCase(),
    ];
    expect(await type(...words, '--dry-run')).toBe(0);
    expect(said).toContain('demo: 1 of 1 keys → 1 of 2 keys');
    expect(said).toContain('Nothing was changed.');
    expect(await readFile(nodeFile(), 'utf8')).toBe(before);
    expect(await readdir(layoutAt(place.path).keys)).toEqual(['a.asc']);
    expect(await type(...words)).toBe(0);
    expect(await type('list', '--json')).toBe(0);
    expect(answered).toMatchObject({
      operator: {
        keys: [
          { state: 'good' },
          { fingerprint: fingerprintOf(b), file: inKeys(`${fingerprintOf(b)}.asc`), state: 'good' },
        ],
      },
    });
  });

  it('takes a renewed certificate of a key that is trusted, in place', async () => {
    await configure([expired]);
    const file = await readFile(nodeFile(), 'utf8');
    const home = await scratch();
    await using other = await realGpg(home.path);
    await other('--import', await secretOf('expired', home.path));
    await other('--quick-set-expire', fingerprintOf(expired), '0');
    const renewed = await exportKey(other, 'expired');
    expect(await type('add', await handed(renewed), '--fingerprint', fingerprintOf(expired))).toBe(0);
    expect(await readFile(nodeFile(), 'utf8')).toBe(file);
    await type('list', '--json');
    expect(answered).toMatchObject({ operator: { keys: [{ state: 'good' }] } });
    await home[Symbol.asyncDispose]();
  });

  it('leaves the other keys of a file alone: a renewed certificate goes into one of its own', async () => {
    await configureTogether([a, b], 2);
    expect(await type('add', await handed(a), '--fingerprint', fingerprintOf(a))).toBe(0);
    expect(said).not.toContain('begins again');
    expect(await readdir(layoutAt(place.path).keys)).toEqual([`${fingerprintOf(a)}.asc`, 'both.asc']);
    expect(await type('verify', '--json')).toBe(0);
    expect(answered).toMatchObject({ operator: { keys: [{ file: inKeys(`${fingerprintOf(a)}.asc`) }, {}] } });
  });

  it('refuses a key that is not the one, two keys, no key, and one that cannot sign, and changes nothing [F042]', async () => {
    await configure([a]);
    const two = join(place.path, 'two.asc');
    await writeFile(two, a.armoured + b.armoured);
    const none = join(place.path, 'none.asc');
    await writeFile(none, 'hello');
    const f = ['--fingerprint', fingerprintOf(b)];
    for (const file of [await handed(a), two, none]) {
      expect(await refusalOf('add', file, ...f)).toMatchObject({ code: 'TRUST_KEY_FILE', exit: 5 });
    }
    const late = await refusalOf('add', await handed(expired), '--fingerprint', fingerprintOf(expired));
    expect(late).toMatchObject({ code: 'TRUST_KEY_EXPIRED' });
    expect(await refusalOf('add', join(place.path, 'gone'), ...f)).toMatchObject({ code: 'USAGE_PATH' });
    expect(await refusalOf('add', place.path, ...f)).toMatchObject({ code: 'USAGE_PATH' });
    expect(await readdir(layoutAt(place.path).keys)).toEqual(['a.asc']);
  });

  it('gives a new node its first key, in the file that a link in nodes.d leads to', async () => {
    await symlink(join(place.path, 'kept.toml'), nodeFile());
    await writeFile(
      join(place.path, 'kept.toml'),
      'binary = "bin/demod"\n[source]\nurl = "https://example.org/manifest.json"\n',
    );
    await type('add', await handed(a), '--fingerprint', fingerprintOf(a));
    expect(await readlink(nodeFile())).toBe(join(place.path, 'kept.toml'));
    expect(await type('verify')).toBe(0);
  });
});

describe('keys remove', () => {
  it('takes the line and the file away', async () => {
    await configure([a, b]);
    expect(await type('remove', fingerprintOf(b), '--json')).toBe(0);
    expect(answered).toMatchObject({ dryRun: false, removed: inKeys('b.asc'), after: [{ file: 'a.asc' }] });
    expect(await readdir(layoutAt(place.path).keys)).toEqual(['a.asc']);
    expect(await type('verify')).toBe(0);
  });

  it('leaves a file that another node trusts', async () => {
    await configure([a, b]);
    await configure([b], 1, 'other');
    await type('remove', fingerprintOf(b), 'demo');
    expect(said).toContain('other trusts what it holds');
    expect(await readdir(layoutAt(place.path).keys)).toEqual(['a.asc', 'b.asc']);
  });

  it('leaves a file that holds another key of the node', async () => {
    await configureTogether([a, b]);
    expect(await type('remove', fingerprintOf(b))).toBe(0);
    expect(said).toContain('demo trusts what it holds');
    expect(await type('verify')).toBe(0);
  });

  it('refuses what would leave fewer keys than the threshold, or fewer that can sign [F041]', async () => {
    await configure([a, b], 2);
    expect(await refusalOf('remove', fingerprintOf(b))).toMatchObject({ code: 'TRUST_TOO_FEW_KEYS', exit: 5 });
    await configure([a, expired]);
    expect(await refusalOf('remove', fingerprintOf(a))).toMatchObject({ code: 'TRUST_TOO_FEW_KEYS' });
    expect(await type('remove', fingerprintOf(expired))).toBe(0);
    expect(await refusalOf('remove', fingerprintOf(expired))).toMatchObject({ code: 'USAGE_INVALID' });
  });
});

async function secretOf(user: string, directory: string): Promise<string> {
  const path = join(directory, 'secret.asc');
  await writeFile(path, await gpg('--armor', '--export-secret-keys', user), { mode: 0o600 });
  return path;
}
