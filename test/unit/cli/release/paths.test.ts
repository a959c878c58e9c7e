/** Every path that a publisher can type, typed wrong. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runRelease } from '../../../../src/cli/release.ts';
import type { ReleaseDeps } from '../../../../src/cli/release.ts';
import { durableFiles } from '../../../../src/host/files.ts';
import { run } from '../../../../src/host/run.ts';
import { makePublisher, makeTree } from '../../../rig/publisher.ts';
import type { Publisher } from '../../../rig/publisher.ts';

let publisher: Publisher;
let words: Readonly<Record<string, string>>;

beforeAll(async () => {
  publisher = await makePublisher();
  const { root, site, key } = publisher;
  const tree = await makeTree(publisher);
  const { archive, descriptionFile } = await publisher.build({ tree, version: '1.0.0' });
  await publisher.publish({ tree, version: '1.0.0' });
  await writeFile(join(root, 'file'), 'x');
  const request = join(root, 'next.request');
  const fixed = { SITE: site, TREE: tree, ARCHIVE: archive, RELEASE: descriptionFile, REQUEST: request };
  words = { ...fixed, NEW: join(root, 'new'), ME: key.fingerprint, KEY: key.file };
  await type('publish SITE -u ME --request REQUEST', {});
});

afterAll(() => publisher[Symbol.asyncDispose]());

/** Capitals stand for what is right; `?` for what is not. */
async function type(line: string, wrong: Readonly<Record<string, string>>): Promise<unknown> {
  const named: Readonly<Record<string, string>> = { ...words, ...wrong };
  const argv = line
    .split(' ')
    .map((word) => word.replace(/[A-Z?]+/g, (name) => named[name] ?? name))
    .map((word) => word.replace(/^-U$/, '-u'));
  const silent: ReleaseDeps['output'] = { print: () => undefined, json: () => undefined };
  const web = {} as ReleaseDeps['web']; // no command here comes as far as a URL
  const deps = { output: silent, files: durableFiles(run), run, now: Date.now, web, env: publisher.gpg.env };
  return runRelease(argv, deps).catch((error: unknown) => error);
}

const GONE = 'nowhere/near';
const FILE = 'file';
const BELOW = 'file/below';
const DIRECTORY = 'tree';

const readFiles = [GONE, BELOW, DIRECTORY];
const directories = [GONE, BELOW, FILE];
const newDirectories = [BELOW, FILE];
const newFiles = [GONE, BELOW, DIRECTORY];

const cases: readonly (readonly [from: string, line: string, wrong: readonly string[]])[] = [
  ['--home', 'keygen --user-id x --name x --home ? --out NEW --no-protection', newDirectories],
  ['--out', 'keygen --user-id x --name x --home NEW --out ? --no-protection', newDirectories],
  ['DIRECTORY', 'build ? --name demo --version 2 --out NEW', directories],
  ['DIRECTORY', 'build ? --name demo --version 2 --out NEW --dry-run', directories],
  ['--out', 'build TREE --name demo --version 2 --out ?', newDirectories],
  ['FILE', 'sign ? -u ME', readFiles],
  ['FILE', 'sign ?.tar.zst -u ME', [GONE, BELOW]],
  ['FILE', 'sign --merge REQUEST ?', readFiles],
  ['FILE', 'sign --merge ? REQUEST', readFiles],
  ['--against', 'sign REQUEST -u ME --against ?', readFiles],
  ['DIRECTORY', 'publish ? RELEASE -u ME', newDirectories],
  ['DIRECTORY', 'publish ? -u ME', [...directories, DIRECTORY]],
  ['RELEASE', 'publish SITE ? -u ME', readFiles],
  ['RELEASE', 'publish SITE RELEASE ? -u ME --dry-run', readFiles],
  ['--request', 'publish SITE -u ME --request ?', newFiles],
  ['--key', 'publish SITE -u ME --key ?=ME', readFiles],
  ['--signed', 'publish SITE --signed ? --key KEY=ME', readFiles],
  ['DIRECTORY', 'publish ? --signed REQUEST --key KEY=ME', newDirectories],
  ['DIRECTORY', 'upload ? --rsync NEW', [...directories, DIRECTORY]],
  ['DIRECTORY', 'rollout ? -u ME --percent 5', [...directories, DIRECTORY]],
  ['--request', 'rollout SITE -u ME --percent 5 --request ?', newFiles],
  ['DIRECTORY', 'halt ? -u ME', [...directories, DIRECTORY]],
  ['--key', 'halt SITE -u ME --key ?=ME', readFiles],
  ['DIRECTORY', 'withdraw ? 1.0.0 --reason x -u ME', [...directories, DIRECTORY]],
  ['--request', 'withdraw SITE 1.0.0 --reason x -u ME --request ?', newFiles],
  ['DIRECTORY', 'rotate ? --add KEY=ME -u ME', directories],
  ['DIRECTORY', 'rotate ? --name demo --add KEY=ME -u ME', newDirectories],
  ['--add', 'rotate SITE --add ?=ME -u ME', readFiles],
  ['--request', 'rotate SITE --add KEY=ME -u ME --request ?', newFiles],
  ['PLACE', 'verify ? --key KEY=ME', [...directories, DIRECTORY]],
  ['--key', 'verify SITE --key ?=ME', readFiles],
];

describe('a mistyped path', () => {
  it.each(cases)('for %s of `release %s` is said to be that', async (from, line, wrong) => {
    const before = await readFile(join(publisher.site, 'manifest.json'), 'utf8');
    for (const name of wrong) {
      const path = join(publisher.root, name);
      const error = await type(line, { '?': path });
      expect(error, name).toMatchObject({
        code: 'USAGE_PATH',
        exit: 2,
        message: expect.stringMatching(new RegExp(`^${from}: ${path}`)) as string,
        remedy: expect.stringMatching(/^Give .*ls -l \//) as string,
      });
    }
    expect(await readFile(join(publisher.site, 'manifest.json'), 'utf8')).toBe(before);
  });

  it('is answered with what lies there under a name like it', async () => {
    const misspelt = words['ARCHIVE']?.slice(0, -1) ?? '';
    expect(await type('sign ?t -u ME', { '?': misspelt.replace('1.0.0', '1.0.1') })).toMatchObject({
      remedy: expect.stringContaining(`Did you mean ${words['ARCHIVE'] ?? ''}?`) as string,
    });
  });

  it('of an archive in place of its description is told apart', async () => {
    expect(await type('publish SITE ARCHIVE -u ME', {})).toMatchObject({
      code: 'RELEASE_INPUT',
      remedy: expect.stringContaining('.release.json') as string,
    });
  });

  it('that leads a request to a directory where nothing is published is not called another publication', async () => {
    expect(await type('publish NEW --signed REQUEST --key KEY=ME', {})).toMatchObject({
      code: 'RELEASE_REQUEST',
      message: expect.stringContaining('publishes nothing') as string,
    });
  });
});
