import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { viewConfig } from '../../../src/cli/config-view.ts';
import { node, testHost, type TestHost } from './ledger.ts';

async function write(host: TestHost, files: Readonly<Record<string, string>>): Promise<void> {
  for (const directory of [host.layout.nodes, host.layout.keys]) await mkdir(directory, { recursive: true });
  await writeFile(`${host.layout.keys}/a.asc`, '');
  for (const [name, text] of Object.entries(files)) {
    const path = `${host.layout.nodes}/${name}`;
    await writeFile(path, text);
    await chmod(path, 0o644);
  }
}

const GOOD = `binary = "bin/x"
interval = "6h"
[source]
url = "https://example.org/manifest.json"
[trust]
keys = [{ file = "a.asc", fingerprint = "${'0123456789ABCDEF'.repeat(3).slice(0, 40)}" }]
`;
const uid = process.geteuid?.() ?? 0;
const looking = (host: TestHost, who = uid) => ({
  layout: host.layout,
  env: {},
  uid: who,
  version: '0',
  buildTime: 0,
  files: () => Promise.resolve(host.files),
});

describe('viewConfig', () => {
  it('knows how often a node is looked at, and what is wrong with another, by file, line and key', async () => {
    const host = await testHost();
    await write(host, { 'good.toml': GOOD, 'bad.toml': `${GOOD}[gate]\nsoak = "soon"\n` });
    const view = await viewConfig(looking(host));
    expect(view).toMatchObject({ general: [], stops: 'none' });
    expect(view.nodes.get(node('good'))).toEqual({ errors: [], interval: 6 * 3_600_000 });
    const bad = view.nodes.get(node('bad'));
    expect(bad).not.toHaveProperty('interval');
    expect(bad?.errors).toMatchObject([
      {
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(/bad\.toml:8: gate\.soak/) as string,
        remedy: `Edit ${host.layout.nodes}/bad.toml.`,
      },
    ]);
  });

  it('tells of a file that nobody reads, and of a global file that stops all', async () => {
    const host = await testHost();
    await write(host, { 'good.toml': GOOD, 'typo.tml': GOOD });
    const view = await viewConfig(looking(host));
    expect(view.stops).toBe('none');
    expect(view.general).toMatchObject([{ message: expect.stringContaining('typo.tml') as string }]);
    await writeFile(host.layout.globalConfig, 'nonsense = 1\n');
    expect(await viewConfig(looking(host))).toMatchObject({ stops: 'all' });
  });
});

describe('a configuration that was found good', () => {
  const memo = (host: TestHost) => readFile(`${host.layout.state}/.good-config.json`, 'utf8');

  it('is remembered by root, and believed as long as no file looks otherwise', async () => {
    const host = await testHost();
    await write(host, { 'good.toml': GOOD });
    const view = await viewConfig(looking(host, 0));
    const remembered = (await memo(host)).replace('21600000', '60000');
    await writeFile(`${host.layout.state}/.good-config.json`, remembered);
    expect((await viewConfig(looking(host, 0))).nodes.get(node('good'))).toEqual({ errors: [], interval: 60_000 });
    // The same bytes again: the file is another one.
    await write(host, { 'good.toml': GOOD });
    expect(await viewConfig(looking(host, 0))).toEqual(view);
  });

  it.each([
    { name: 'one is changed', files: { 'good.toml': `${GOOD}# x\n` } },
    { name: 'one is added', files: { 'other.toml': GOOD } },
    { name: 'one is broken', files: { 'good.toml': 'nonsense' } },
    { name: 'a wrongly named one is added', files: { 'typo.tml': '' } },
  ])('is read again when of its files $name', async ({ files }) => {
    const host = await testHost();
    await write(host, { 'good.toml': GOOD });
    await viewConfig(looking(host, 0));
    await writeFile(`${host.layout.state}/.good-config.json`, (await memo(host)).replace('21600000', '60000'));
    await write(host, files);
    expect((await viewConfig(looking(host, 0))).nodes.get(node('good'))).not.toMatchObject({ interval: 60_000 });
  });

  it('is not remembered when it is broken, nor by who is not root, nor where variables set keys', async () => {
    const host = await testHost();
    await write(host, { 'good.toml': GOOD, 'test.toml': GOOD });
    await viewConfig(looking(host, 65_534));
    for (const name of ['GOOD', 'TEST'])
      await viewConfig({ ...looking(host, 0), env: { [`NODE_UPDATER_${name}_INTERVAL`]: '2h' } });
    await write(host, { 'good.toml': 'nonsense' });
    await viewConfig(looking(host, 0));
    await expect(memo(host)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('that cannot be remembered, or only half, is read', async () => {
    const host = await testHost();
    await write(host, { 'good.toml': GOOD });
    await mkdir(`${host.layout.state}/.good-config.json`);
    expect((await viewConfig(looking(host, 0))).nodes.get(node('good'))).toMatchObject({ errors: [] });
    const other = await testHost();
    await write(other, { 'good.toml': GOOD });
    await writeFile(`${other.layout.state}/.good-config.json`, '{"schema":');
    expect((await viewConfig(looking(other, 0))).nodes.get(node('good'))).toMatchObject({ interval: 6 * 3_600_000 });
  });
});
