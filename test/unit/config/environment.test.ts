import { describe, expect, it } from 'vitest';
import { requireNode } from '../../../src/config/load.ts';
import { leaves } from '../../../src/config/shape.ts';
import { globalSchema } from '../../../src/config/schema.ts';
import { configHost, MINIMAL } from './host.ts';

const nodeFile = (name: string) => `etc/node-updater/nodes.d/${name}.toml`;

describe('environment variables', () => {
  it('override every global key', () => {
    using host = configHost();
    const values: Record<string, string | readonly string[]> = {
      heartbeat_timeout: '3min',
      log_level: 'debug',
      'fetch.connect_timeout': '3min',
      'fetch.headers_timeout': '3min',
      'fetch.minimum_speed': '7K',
      'fetch.slow_window': '3min',
      'fetch.total_timeout': '3min',
      'fetch.maximum_speed': '1M',
      'fetch.proxy': 'http://proxy.example:3128',
      'fetch.no_proxy': ['intranet.example', '10.0.0.0/8'],
      'fetch.ca_file': '/etc/node-updater/authority.pem',
    };
    const keys = leaves(globalSchema).map(({ path }) => path.join('.'));
    expect(keys).toEqual(Object.keys(values));
    for (const [key, value] of Object.entries(values)) {
      const variable = `NODE_UPDATER_${key.toUpperCase().replace('.', '_')}`;
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      expect(host.problems({ [variable]: text })).toEqual([]);
      expect(host.load({ [variable]: text }).global.find((entry) => entry.key === key)).toEqual({
        key,
        value,
        origin: { type: 'variable', variable },
      });
    }
  });

  it('override keys of a node over its file: text, numbers, arrays and tables', () => {
    using host = configHost();
    host.write(nodeFile('my-node@1'), `${MINIMAL}[unit]\nexec = "bin/w"\nuser = "w"\n[gate]\nsoak = "2min"\n`);
    const prefix = 'NODE_UPDATER_MY_NODE_1';
    const loaded = host.load({
      [`${prefix}_GATE_SOAK`]: '5min',
      [`${prefix}_GATE_FAILURES`]: '7',
      [`${prefix}_SOURCE_INSECURE_HTTP`]: 'true',
      [`${prefix}_SOURCE_URL`]: '["http://a.example/m", "https://b.example/m"]',
      [`${prefix}_UNIT_EXEC`]: 'bin/w --flag',
      [`${prefix}_UNIT_ENVIRONMENT`]: '{ X = "y" }',
    });
    expect(loaded.problems).toEqual([]);
    expect(requireNode(loaded, 'my-node@1')).toMatchObject({
      gate: { soak: 300_000, failures: 7 },
      source: { urls: ['http://a.example/m', 'https://b.example/m'] },
      unit: { exec: ['bin/w', '--flag'], environment: { X: 'y' } },
    });
  });

  it('that name no key, or hold no proper value, are errors that name the variable', () => {
    using host = configHost();
    host.write(nodeFile('workerd'), MINIMAL);
    expect(
      host.problems({
        NODE_UPDATER_LOG_LVL: 'debug',
        NODE_UPDATER_FETCH_SLOW_WINDOW: 'soon',
        NODE_UPDATER_WORKERD_GATE_FAILURES: 'many',
        OTHER: 'x',
      }),
    ).toEqual([
      'environment NODE_UPDATER_LOG_LVL: sets no known key. Did you mean NODE_UPDATER_LOG_LEVEL?',
      expect.stringMatching(/^environment NODE_UPDATER_FETCH_SLOW_WINDOW: fetch\.slow_window is no length of time/),
      'environment NODE_UPDATER_WORKERD_GATE_FAILURES: gate.failures must be a whole number, not a string.',
    ]);
  });

  it('that could mean a key of two nodes are refused for both', () => {
    using host = configHost();
    for (const name of ['a-b', 'a_b', 'c']) host.write(nodeFile(name), MINIMAL);
    const { problems, settings } = host.load({ NODE_UPDATER_A_B_INTERVAL: '2h' });
    expect(problems.map(({ stops }) => stops)).toEqual(['a-b', 'a_b']);
    expect(settings.nodes.map(({ node }) => node)).toEqual(['c']);
  });

  it('set the keys of a node that is called test', () => {
    using host = configHost();
    host.write(nodeFile('test'), MINIMAL);
    const loaded = host.load({ NODE_UPDATER_TEST_INTERVAL: '2h', NODE_UPDATER_TEST_CASES: '3' });
    expect(loaded.problems).toEqual([]);
    expect(requireNode(loaded, 'test').interval).toBe(2 * 60 * 60 * 1000);
  });

  it('that our own units and suites set are left alone', () => {
    using host = configHost();
    expect(host.problems({ NODE_UPDATER_BOOT_ID: 'x', NODE_UPDATER_TEST_CASES: '3' })).toEqual([]);
  });
});
