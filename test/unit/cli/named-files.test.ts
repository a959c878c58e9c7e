import { rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Host } from '../../../src/cli/host.ts';
import { settings } from '../../../src/cli/settings.ts';
import { configHost, FINGERPRINT, MINIMAL, type ConfigHost } from '../config/host.ts';

async function check(host: ConfigHost, node?: string) {
  let said = '';
  const raw = (text: string) => (said += text);
  const typed = { name: 'config', view: 'check', ...(node === undefined ? {} : { node }) } as const;
  const uid = process.geteuid?.() ?? 0;
  const world = { layout: host.layout, env: {}, uid, output: { raw, rawError: raw } } as unknown as Host;
  const exit = await settings(typed, 'text', world);
  return { exit, said: said.replaceAll(host.root, '') };
}

describe('config --check', () => {
  it('finds a mistyped key file, with the line that names it', async () => {
    using host = configHost();
    const file = host.write('etc/node-updater/nodes.d/workerd.toml', MINIMAL);
    const { exit, said } = await check(host);
    expect(exit).toBe(78);
    expect(said).toContain(
      'nodes.d/workerd.toml:5: trust.keys[0] names a file that will not do: the trusted key file /etc/node-updater/keys.d/workerd.asc does not exist.',
    );
    expect(said).toContain(`compare its fingerprint with ${FINGERPRINT}`);
    rmSync(file);
    expect((await check(host)).exit).toBe(0);
  });

  it('finds a mistyped file of authorities', async () => {
    using host = configHost();
    host.write('etc/node-updater/node-updater.toml', '[fetch]\nca_file = "/nowhere/ca.pem"\n');
    const { exit, said } = await check(host);
    expect(exit).toBe(78);
    expect(said).toContain('node-updater.toml:2: fetch.ca_file names a file that will not do');
  });

  it('of one node says its problems alone, and knows a node by the name of its file too', async () => {
    using host = configHost();
    host.write('etc/node-updater/nodes.d/workerd.toml', MINIMAL);
    host.write('etc/node-updater/nodes.d/other.toml', 'binary = 1\n');
    const { said } = await check(host, 'workerd');
    expect(said).toContain('trust.keys[0]');
    expect(said).not.toContain('other.toml');
    await expect(check(host, '/etc/node-updater/nodes.d/workerd.toml')).rejects.toMatchObject({
      code: 'CONFIG_UNKNOWN_NODE',
      message: expect.stringContaining('Did you mean workerd?') as string,
    });
  });
});
