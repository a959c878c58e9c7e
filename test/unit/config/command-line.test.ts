import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { checkConfig, showConfig, type ConfigFormat } from '../../../src/cli/config.ts';
import type { Loaded } from '../../../src/config/load.ts';
import { configHost, FINGERPRINT, MINIMAL } from './host.ts';

function show(loaded: Loaded, request: { node?: string; format: ConfigFormat }) {
  const said = { out: '', err: '' };
  const exit = showConfig(
    loaded,
    request,
    (text) => (said.out += text),
    (text) => (said.err += text),
  );
  return { ...said, exit };
}

function check(loaded: Loaded, format: ConfigFormat) {
  let out = '';
  const exit = checkConfig(loaded, { format }, (text) => (out += text));
  return { out, exit };
}

describe('config', () => {
  it('prints every key with its origin, as TOML that could be pasted back', () => {
    using host = configHost();
    const file = host.write('etc/node-updater/nodes.d/workerd.toml', MINIMAL);
    const loaded = host.load({ NODE_UPDATER_WORKERD_INTERVAL: '2h', NODE_UPDATER_LOG_LEVEL: 'debug' });
    const { out, err, exit } = show(loaded, { format: 'text' });
    expect({ err, exit }).toEqual({ err: '', exit: 0 });
    expect(out).toMatch(/^log_level = "debug" +# environment NODE_UPDATER_LOG_LEVEL$/m);
    expect(out).toMatch(/^interval = "2h" +# environment NODE_UPDATER_WORKERD_INTERVAL$/m);
    expect(out).toMatch(/^gate\.soak = "60s" +# default$/m);
    expect(out).toContain(`# ${file}:3\n`);
    const node = parse(show(loaded, { node: 'workerd', format: 'text' }).out);
    expect(node).toMatchObject({
      binary: 'bin/workerd',
      trust: { keys: [{ file: 'workerd.asc', fingerprint: FINGERPRINT }] },
    });
  });

  it('prints the same as JSON, of one node or of all', () => {
    using host = configHost();
    host.write('etc/node-updater/nodes.d/workerd.toml', MINIMAL);
    const all = JSON.parse(show(host.load(), { format: 'json' }).out) as Record<string, unknown>;
    expect(Object.keys(all)).toEqual(['schema', 'global', 'nodes', 'problems']);
    const one = JSON.parse(show(host.load(), { node: 'workerd', format: 'json' }).out) as Record<string, unknown>;
    expect(one).toMatchObject({
      schema: 1,
      nodes: {
        workerd: expect.arrayContaining([{ key: 'interval', value: '1h', origin: { type: 'default' } }]) as unknown,
      },
    });
    expect(one).not.toHaveProperty('global');
  });

  it('fails for a node that does not exist, and shows one that is broken with what is wrong', () => {
    using host = configHost();
    host.write('etc/node-updater/nodes.d/workerd.toml', 'binary = 1\n');
    expect(() => show(host.load(), { node: 'x', format: 'text' })).toThrow(
      expect.objectContaining({ code: 'CONFIG_UNKNOWN_NODE' }),
    );
    const { err, exit } = show(host.load(), { node: 'workerd', format: 'text' });
    expect(exit).toBe(78);
    expect(err).toMatch(/workerd\.toml:1: binary must be a string/);
  });

  it('--check ends with 78 and every problem, with 0 when there are only warnings', () => {
    using host = configHost();
    host.write('etc/node-updater/nodes.d/workerd.toml', MINIMAL);
    host.write('etc/node-updater/nodes.d/workerd.toml~', MINIMAL);
    expect(check(host.load(), 'text')).toEqual({
      exit: 0,
      out: expect.stringMatching(/1 node, 0 errors, 1 warning\n$/) as string,
    });
    host.write('etc/node-updater/nodes.d/storj.toml', 'binary = 1\nx = 2\n');
    const { out, exit } = check(host.load(), 'text');
    expect(exit).toBe(78);
    expect(out).toMatch(/storj\.toml:1: binary .*\n.*\n.*storj\.toml:2: x is not a known key/);
    expect(out).toMatch(/2 nodes, 4 errors, 1 warning\n$/);
    const json = JSON.parse(check(host.load(), 'json').out) as { problems: unknown[] };
    expect(json.problems).toHaveLength(5);
  });
});
