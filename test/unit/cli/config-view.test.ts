import { chmod, mkdir, writeFile } from 'node:fs/promises';
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

describe('viewConfig', () => {
  it('knows how often a node is looked at, and what is wrong with another, by file, line and key', async () => {
    const host = await testHost();
    await write(host, { 'good.toml': GOOD, 'bad.toml': `${GOOD}[gate]\nsoak = "soon"\n` });
    const view = await viewConfig({ layout: host.layout, env: {}, uid });
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
    const view = await viewConfig({ layout: host.layout, env: {}, uid });
    expect(view.stops).toBe('none');
    expect(view.general).toMatchObject([{ message: expect.stringContaining('typo.tml') as string }]);
    await writeFile(host.layout.globalConfig, 'nonsense = 1\n');
    expect(await viewConfig({ layout: host.layout, env: {}, uid })).toMatchObject({ stops: 'all' });
  });
});
