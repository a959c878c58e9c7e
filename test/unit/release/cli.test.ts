import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runRelease } from '../../../src/cli/release.ts';
import type { ReleaseDeps } from '../../../src/cli/release.ts';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { hostClock } from '../../../src/host/clock.ts';
import { silentLog } from '../cli/ledger.ts';
import { makePublisher, makeTree } from '../../rig/publisher.ts';
import type { Publisher } from '../../rig/publisher.ts';

let publisher: Publisher;
let tree: string;
let out: string;

beforeEach(async () => {
  publisher = await makePublisher();
  tree = await makeTree(publisher);
  out = join(publisher.root, 'out');
});

afterEach(() => publisher[Symbol.asyncDispose]());

interface Said {
  readonly status: number;
  readonly lines: readonly string[];
  readonly json: unknown;
}

async function type(command: string, env: ReleaseDeps['env'] = {}): Promise<Said> {
  const lines: string[] = [];
  let json: unknown;
  const output: ReleaseDeps['output'] = {
    print: (more) => {
      lines.push(...more.map((line) => (typeof line === 'string' ? line : line.text)));
    },
    json: (value) => {
      json = value;
    },
  };
  const base = { output, files: durableFiles(run), run, now: Date.now, web: testWeb() };
  const deps = { ...base, env: { ...publisher.gpg.env, ...env } };
  const status = await runRelease(command.split(/\s+/), deps);
  return { status, lines, json };
}

function testWeb(): ReleaseDeps['web'] {
  const log = () => Promise.resolve(silentLog());
  return { clock: hostClock(), log, signal: () => new AbortController().signal, version: 'test' };
}

const archiveName = `demo-1.0.0-linux-${process.arch === 'arm64' ? 'arm64' : 'amd64'}-gnu`;

describe('node-updater release', () => {
  it('takes a directory through build, sign, publish and verify', async () => {
    const { fingerprint, file } = publisher.key;
    const site = publisher.site;
    const built = await type(`build ${tree} --name demo --version 1.0.0 --out ${out} --binary bin/demo`);
    expect(built.lines[0]).toBe(`${out}/${archiveName}.tar.zst`);
    const signed = await type(`sign ${out}/${archiveName}.tar.zst -u ${fingerprint}`);
    expect(signed.lines).toEqual([`${out}/${archiveName}.tar.zst.asc`, `  by ${fingerprint}`]);
    const published = await type(`publish ${site} ${out}/${archiveName}.release.json -u ${fingerprint} --expires 14d`);
    expect(published.lines).toEqual([
      'begin demo stable: nothing is published here yet',
      expect.stringMatching(new RegExp(`^add releases/1\\.0\\.0/[0-9a-f]{64}/${archiveName}\\.tar\\.zst$`)),
      'suggest 1.0.0',
      expect.stringMatching(/^publish demo stable serial 1, expires \d{4}-/),
      `published ${site}/manifest.json`,
    ]);
    const verified = await type(`verify ${site} --key ${file}=${fingerprint}`);
    expect(verified.status).toBe(0);
    expect(verified.lines).toContainEqual(expect.stringMatching(/^1\.0\.0 linux \S+ gnu: verified$/));
    const { json } = await type(`verify ${site} --key ${file}=${fingerprint} --json`);
    expect(json).toMatchObject({ schema: 1, manifest: { serial: 1 }, signers: [fingerprint] });
  });

  it('changes nothing with --dry-run', async () => {
    const { fingerprint } = publisher.key;
    const { lines } = await type(`build ${tree} --name demo --version 1.0.0 --out ${out} --dry-run`);
    expect(lines).toEqual(['would pack 2 entries, 19 bytes']);
    const { archive, descriptionFile } = await publisher.build({ tree, version: '1.0.0' });
    const before = await readFile(`${archive}.asc`, 'utf8');
    await type(`sign ${archive} -u ${fingerprint} --dry-run`);
    expect(await readFile(`${archive}.asc`, 'utf8')).toBe(before);
    const { json } = await type(`publish ${publisher.site} ${descriptionFile} -u ${fingerprint} --dry-run --json`);
    expect(json).toMatchObject({ schema: 1, dryRun: true, manifest: { serial: 1, suggested: '1.0.0' } });
    expect(await readdir(publisher.root)).not.toContain('site');
    expect(await readdir(publisher.root)).not.toContain('out');
  });

  it('renews and withdraws without a release', async () => {
    await publisher.publish({ tree, version: '1.0.0' });
    await publisher.publish({ tree, version: '1.1.0' });
    const { fingerprint } = publisher.key;
    const { lines } = await type(`publish ${publisher.site} -u ${fingerprint} --withdraw 1.1.0 --suggest 1.0.0`);
    expect(lines.slice(0, 2)).toEqual(['suggest 1.0.0 (was 1.1.0)', 'withdraw 1.1.0']);
  });

  it('takes the time of every entry from SOURCE_DATE_EPOCH', async () => {
    const command = `build ${tree} --name demo --version 1.0.0 --format tar --out`;
    const env = { SOURCE_DATE_EPOCH: '1700000000' };
    await type(`${command} ${out}`, env);
    await type(`${command} ${out}2`);
    const archives = await Promise.all([out, `${out}2`].map((dir) => readFile(`${dir}/${archiveName}.tar`)));
    expect(archives.map((bytes) => parseInt(bytes.toString('latin1', 136, 147), 8))).toEqual([1_700_000_000, 0]);
  });

  it.each([
    'nonsense',
    'build',
    'build /tmp --name demo --version ../1 --out /tmp/x',
    'build /tmp --name demo --version 1 --out /tmp/x --epoch -1',
    'build /tmp --name demo --version 1 --out /tmp/x --libc other',
    'publish /tmp/x',
    'publish /tmp/x -u me --expires soon',
    'publish /tmp/x -u me --mirror ftp://x.example/',
    'verify /tmp/x',
    'verify /tmp/x --key file',
    'verify /tmp/x --key file=ABCD',
  ])('calls `%s` a mistake in typing', async (command) => {
    await expect(type(command)).rejects.toMatchObject({ code: 'USAGE_INVALID' });
  });
});
