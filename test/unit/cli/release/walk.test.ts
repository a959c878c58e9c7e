import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runRelease } from '../../../../src/cli/release.ts';
import type { ReleaseDeps } from '../../../../src/cli/release.ts';
import { hostClock } from '../../../../src/host/clock.ts';
import { durableFiles } from '../../../../src/host/files.ts';
import { run } from '../../../../src/host/run.ts';
import { staticFiles } from '../../../rig/http/static.ts';
import { makeKey, makePublisher, makeTree } from '../../../rig/publisher.ts';
import type { Publisher } from '../../../rig/publisher.ts';
import { silentLog } from '../ledger.ts';

let publisher: Publisher;
let site: string;
/** `-u` of both signers; `--key` of both. */
let both: string;
let keys: string;
let server: Server | undefined;

beforeEach(async () => {
  publisher = await makePublisher();
  ({ site } = publisher);
  const second = await makeKey(publisher.gpg, 'Bob <bob@example.org>', join(publisher.root, 'bob.asc'));
  both = `-u ${publisher.key.fingerprint} -u ${second.fingerprint}`;
  keys = [publisher.key, second].map(({ file, fingerprint }) => `--key ${file}=${fingerprint}`).join(' ');
});

afterEach(async () => {
  server?.close();
  server?.closeAllConnections();
  server = undefined;
  await publisher[Symbol.asyncDispose]();
});

interface Said {
  readonly lines: readonly string[];
  readonly json: Readonly<Record<string, unknown>>;
}

async function type(command: string, ...more: readonly string[]): Promise<Said> {
  const lines: string[] = [];
  let json = {};
  const output: ReleaseDeps['output'] = {
    print: (said) => {
      lines.push(...said.map((line) => (typeof line === 'string' ? line : line.text)));
    },
    json: (value) => {
      json = value;
    },
  };
  const signal = new AbortController().signal;
  const web = { clock: hostClock(), log: () => Promise.resolve(silentLog()), signal: () => signal, version: 'test' };
  const deps = { output, files: durableFiles(run), run, now: Date.now, web, env: publisher.gpg.env };
  await runRelease([...command.trim().split(/\s+/), ...more], deps);
  return { lines, json };
}

/** Builds and signs a release for these platforms; gives the descriptions. */
async function build(version: string, arches: readonly string[] = ['amd64']): Promise<string> {
  const tree = join(publisher.root, 'tree');
  await mkdir(join(tree, 'bin'), { recursive: true });
  const built: string[] = [];
  for (const arch of arches) {
    await writeFile(join(tree, 'bin/demo'), `#!/bin/sh\necho ${version} ${arch}\n`, { mode: 0o755 });
    const out = join(publisher.root, 'built');
    const name = `${out}/demo-${version}-linux-${arch}-gnu`;
    await type(`build ${tree} --name demo --version ${version} --arch ${arch} --out ${out}`);
    await type(`sign ${name}.tar.zst ${both}`);
    built.push(`${name}.release.json`);
  }
  return built.join(' ');
}

async function manifest(): Promise<string> {
  return (JSON.parse(await readFile(join(site, 'manifest.json'), 'utf8')) as { manifest: string }).manifest;
}

const publish = async (version: string, more = ''): Promise<Said> =>
  type(`publish ${site} ${await build(version)} ${both}${more}`);

describe('a publisher’s day', () => {
  it('goes from 5 % to a halt and a withdrawal, and says at each step what changes', async () => {
    await publish('1.0.0');
    expect((await publish('1.1.0', ' --percent 5')).lines).toContain(
      'offer 1.1.0 to 5 % of hosts (was 1.0.0 to all hosts)',
    );
    expect((await type(`rollout ${site} ${both} --percent 25`)).lines[0]).toBe(
      'offer 1.1.0 to 25 % of hosts (was 1.1.0 to 5 % of hosts)',
    );
    expect((await type(`halt ${site} ${both}`)).lines[0]).toBe(
      'offer 1.1.0 to no more hosts (was 1.1.0 to 25 % of hosts)',
    );
    const { lines } = await type(`withdraw ${site} 1.1.0 ${both} --reason`, 'loses its index');
    expect(lines.slice(0, 2)).toEqual(['suggest 1.0.0 (was 1.1.0)', 'withdraw 1.1.0']);
    expect(await manifest()).toContain('"notes": "withdrawn: loses its index"');
    const { json } = await type(`verify ${site} ${keys} --threshold 2 --json`);
    expect(json).toMatchObject({ manifest: { serial: 5, suggested: '1.0.0', withdrawn: ['1.1.0'] } });
  });

  it('goes on by phases, one at a time, from a timer that types the same each time', async () => {
    await publish('1.0.0');
    const phases = '--phases 1,5,100';
    await publish('1.1.0', ` ${phases}`);
    const next = (): Promise<Said> => type(`rollout ${site} ${both} ${phases}`);
    expect((await next()).lines[0]).toMatch(/^offer 1\.1\.0 to 5 %/);
    expect((await next()).lines[0]).toMatch(/^offer 1\.1\.0 to all hosts/);
    expect((await next()).lines).toEqual(['nothing to do: the rollout of 1.1.0 is through its last phase']);
    const wait = await type(`rollout ${site} ${both} --phases 1,5,100 --every 6h --dry-run`);
    expect(wait.lines[0]).toMatch(/^nothing to do/);
  });

  const commands = [
    'publish SITE',
    'rollout SITE --percent 50',
    'halt SITE',
    'withdraw SITE 1.1.0 --reason bad',
    'rotate SITE',
  ];

  it.each(commands)(
    'changes nothing with `%s --dry-run`, and nothing but a request with --request',
    async (command) => {
      await publish('1.0.0');
      await publish('1.1.0', ' --percent 5');
      const add = command.startsWith('rotate') ? ` ${keys.replaceAll('--key', '--add')} --threshold 2` : '';
      const typed = `${command.replace('SITE', site)}${add}`;
      const before = await readdir(site, { recursive: true });
      const text = await manifest();
      const { lines } = await type(`${typed} ${both} --dry-run`);
      expect(lines.length).toBeGreaterThan(0);
      expect(lines.filter((line) => !line.startsWith('would '))).toEqual([]);
      const request = join(publisher.root, 'a.request');
      await type(`${typed} ${both.slice(0, 43)} --request ${request} ${command.startsWith('rotate') ? '' : keys}`);
      expect(await readdir(site, { recursive: true })).toEqual(before);
      expect(await manifest()).toBe(text);
      const second = `-u ${both.split(' ').at(-1) ?? ''}`;
      await type(`sign ${request} ${second}`);
      await type(`publish ${site} --signed ${request} ${keys}`);
      expect([await manifest(), await readdir(site, { recursive: true })]).not.toEqual([text, before]);
    },
  );

  it('refuses a release that lacks a platform of the one before, unless that is meant', async () => {
    await type(`publish ${site} ${await build('1.0.0', ['amd64', 'arm64'])} ${both}`);
    const next = await build('2.0.0', ['amd64']);
    const text = await manifest();
    await expect(type(`publish ${site} ${next} ${both}`)).rejects.toMatchObject({ code: 'RELEASE_ARCHITECTURES' });
    expect(await manifest()).toBe(text);
    await type(`publish ${site} ${next} ${both} --force architectures`);
    expect(await manifest()).toContain('"suggested": "2.0.0"');
  });

  it('halts nothing where the minimum is not on offer, for hosts below it would go to what is suggested', async () => {
    await publish('1.1.0');
    await publish('2.0.0', ' --percent 5 --minimum 1.0.5');
    await expect(type(`halt ${site} ${both}`)).rejects.toMatchObject({ code: 'RELEASE_REFUSED' });
    await type(`withdraw ${site} 2.0.0 --reason bad ${both}`);
    expect((await type(`verify ${site} ${keys}`)).lines.filter((line) => line.includes('gets 2.0.0'))).toEqual([]);
  });

  it('says why a release is withdrawn, however much its notes say already', async () => {
    // Cut where they are too long, the last sign would be half of one.
    const notes = 'n'.repeat(4073) + '🙂'.repeat(9);
    const tree = await makeTree(publisher);
    const built = `${publisher.root}/built/demo-1.0.0-linux-amd64-gnu`;
    const build = `build ${tree} --name demo --version 1.0.0 --arch amd64 --out ${publisher.root}/built`;
    await expect(type(build, '--notes', 'n'.repeat(4097))).rejects.toMatchObject({ code: 'USAGE_INVALID' });
    await type(build, '--notes', notes);
    await type(`sign ${built}.tar.zst ${both}`);
    await type(`publish ${site} ${built}.release.json ${both}`);
    await publish('1.1.0');
    await type(`withdraw ${site} 1.0.0 ${both} --reason`, 'eats data');
    expect(await manifest()).toContain('"notes": "withdrawn: eats data; nnn');
    expect(await manifest()).toMatch(/n\uFFFD",$/m);
    expect((await type(`verify ${site} ${keys}`)).lines).toContain('withdrawn: 1.0.0');
  });

  it('halts nothing where the minimum would overrule it, and withdraws no version that was never published', async () => {
    await publish('1.0.0');
    await publish('1.1.0', ' --minimum 1.1.0');
    await expect(type(`halt ${site} ${both}`)).rejects.toMatchObject({ code: 'RELEASE_REFUSED' });
    await expect(type(`withdraw ${site} 1.1.1 --reason typo ${both}`)).rejects.toMatchObject({ code: 'RELEASE_INPUT' });
    await expect(type(`withdraw ${site} 1.1.0 --reason bad ${both}`)).rejects.toMatchObject({
      code: 'RELEASE_REFUSED',
    });
    await type(`withdraw ${site} 1.1.0 --reason bad --minimum 1.0.0 ${both}`);
  });

  it('copies to a server when it has published, and again when it is asked to', async () => {
    const copy = join(publisher.root, 'www');
    await publish('1.0.0', ` --rsync ${copy}`);
    expect(await readFile(join(copy, 'manifest.json'), 'utf8')).toBe(
      await readFile(join(site, 'manifest.json'), 'utf8'),
    );
    await type(`rollout ${site} ${both} --percent 5`);
    await type(`upload ${site} --rsync ${copy}`);
    expect(await readFile(join(copy, 'manifest.json'), 'utf8')).toBe(
      await readFile(join(site, 'manifest.json'), 'utf8'),
    );
  });

  it.each([
    'publish S',
    'rollout S -u me',
    'rollout S -u me --percent 101',
    'rollout S -u me --percent 5 --phases 1,2',
    'rollout S -u me --phases 5,1',
    'rollout S -u me --cursor ff',
    'rollout S -u me --percent 5 --seed 12',
    'withdraw S 1.0.0 -u me',
    'rotate S -u me --remove ABCD',
    'publish S -u me --s3 bucket',
    'publish S --request r --rsync host:/srv',
    'publish S --signed r -u me',
    'publish S -u me --name a --name b',
    'sign a.tar b.request -u me',
    'sign --merge one.request',
    'keygen --name ../x --user-id A --home h --out o',
    'keygen --name x --user-id A --home h --out o --subkeys 0',
  ])('calls `%s` a mistake in typing', async (command) => {
    await expect(type(command)).rejects.toMatchObject({ code: 'USAGE_INVALID' });
  });
});

async function serve(): Promise<string> {
  const handler = staticFiles(site);
  server = createServer((request, response) => void handler(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

describe('verify', () => {
  it('sees at a URL what hosts would fetch there, and says what each of them gets', async () => {
    await type(`publish ${site} ${await build('1.0.0', ['amd64', 'arm64'])} ${both}`);
    await type(`publish ${site} ${await build('1.1.0', ['amd64', 'arm64'])} ${both} --percent 5`);
    const { lines } = await type(`verify ${await serve()}/manifest.json ${keys} --threshold 2`);
    expect(lines.filter((line) => line.endsWith(': verified'))).toHaveLength(4);
    expect(lines).toContainEqual(
      expect.stringMatching(/^a host on arm64 gnu with 1\.0\.0 gets 1\.1\.0 \(5 % of them;/),
    );
    expect(lines).toContain('a host on amd64 gnu with 1.1.0 gets nothing: 1.1.0 is what runs');
  });

  it.each([
    { name: 'an archive that a server has damaged', what: '.zst', code: 'TRUST_DIGEST' },
    { name: 'a signature that is another’s', what: '.asc', code: 'TRUST_STRUCTURE' },
    { name: 'a manifest that is a web page', what: 'manifest.json', code: 'TRUST_ENVELOPE' },
  ])('tells at a URL of $name', async ({ what, code }) => {
    await publish('1.0.0');
    const [path = ''] = (await readdir(site, { recursive: true })).filter((each) => each.endsWith(what));
    const bytes = await readFile(join(site, path));
    await writeFile(join(site, path), what === '.zst' ? bytes.fill(0x55, bytes.length - 8) : '<html>log in</html>');
    await expect(type(`verify ${await serve()} ${keys}`)).rejects.toMatchObject({ code });
  });

  it('fetches nothing over plain http from another host, as hosts do not [P7]', async () => {
    const refused = type(`verify http://node-autoupdate.example/manifest.json ${keys}`);
    await expect(refused).rejects.toThrow(/insecure|http/i);
    await expect(refused).rejects.toMatchObject({ code: expect.stringMatching(/^(SOURCE|CONFIG)_/) as string });
  });
});
