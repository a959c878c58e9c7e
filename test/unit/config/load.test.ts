import { readFileSync, symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findNode, problemsOf, requireNode } from '../../../src/config/load.ts';
import { configHost, FINGERPRINT, MINIMAL } from './host.ts';

const NODE = 'etc/node-updater/nodes.d/workerd.toml';
const GLOBAL = 'etc/node-updater/node-updater.toml';

function only<T>(values: readonly T[]): T {
  const [value] = values;
  if (value === undefined || values.length !== 1) throw new Error(`${values.length} values`);
  return value;
}

describe('loadSettings', () => {
  it('has defaults for everything when there is no file at all [P5]', () => {
    using host = configHost();
    const { settings, problems } = host.load();
    expect(problems).toEqual([]);
    expect(settings).toEqual({
      global: {
        heartbeatTimeout: 120_000,
        logLevel: 'info',
        fetch: {
          connectTimeout: 10_000,
          headersTimeout: 30_000,
          minimumSpeed: 4096,
          slowWindow: 30_000,
          totalTimeout: 6 * 3_600_000,
          maximumSpeed: 0,
        },
      },
      nodes: [],
    });
  });

  it('needs four lines for a node that has a unit of its own', () => {
    using host = configHost();
    const file = host.write(NODE, MINIMAL);
    expect(host.problems()).toEqual([]);
    expect(host.load().settings.nodes).toEqual([
      {
        node: 'workerd',
        file,
        interval: 3_600_000,
        keepVersions: 3,
        mounts: [],
        source: {
          type: 'manifest',
          urls: ['https://example.org/manifest.json'],
          name: 'workerd',
          channel: 'stable',
          insecureHttp: false,
        },
        trust: {
          keySet: 1,
          threshold: 1,
          keys: [{ file: `${host.layout.keys}/workerd.asc`, fingerprint: FINGERPRINT }],
        },
        binary: 'bin/workerd',
        gate: {
          soak: 60_000,
          startTimeout: 90_000,
          interval: 2000,
          timeout: 5000,
          grace: 10_000,
          failures: 3,
          probes: [],
        },
      },
    ]);
  });

  it('takes a grace longer than the soak: what is forgiven does not count as held', () => {
    using host = configHost();
    host.write(NODE, `${MINIMAL}[gate]\nsoak = "6s"\ngrace = "5min"\n[[gate.probe]]\ntype = "tcp"\nport = 1\n`);
    expect(host.problems()).toEqual([]);
    expect(only(host.load().settings.nodes).gate).toMatchObject({ soak: 6000, grace: 300_000 });
  });

  it('freezes what the operator decided', () => {
    using host = configHost();
    host.write(NODE, MINIMAL);
    const { settings } = host.load();
    expect(Object.isFrozen(only(settings.nodes).gate)).toBe(true);
    expect(Object.isFrozen(settings.global.fetch)).toBe(true);
  });

  it('tells all that is wrong with a file at once, each with line, key and what was meant [F115]', () => {
    using host = configHost();
    host.write(
      NODE,
      `intervall = "1h"
[source]
url = "http://example.org/m.json"
chanel = "stable"
[trust]
keys = [
  { file = "a.asc", fingerprint = "${FINGERPRINT}" },
  { file = "../b.asc", fingerprint = "123" },
]
[gate]
startTimeout = "3s"
soak = "infinity"
[[gate.probe]]
type = "http"
url = "http://example.org"
[[gate.probe]]
type = "htp"
[[gate.probe]]
type = "tcp"
prt = 1
[unit]
exec = 3
`,
    );
    const file = `/${NODE}`;
    expect(host.problems()).toEqual([
      `${file}: binary is missing.`,
      `${file}:1: intervall is not a known key. Did you mean interval?`,
      `${file}:4: source.chanel is not a known key. Did you mean channel?`,
      `${file}:8: trust.keys[1].file must be the name of a file in keys.d, or an absolute path.`,
      expect.stringMatching(`^${file}:8: trust.keys\\[1\\].fingerprint must be a full fingerprint`),
      `${file}:11: gate.startTimeout is not a known key. Did you mean start_timeout?`,
      `${file}:12: gate.soak has no meaning as "infinity"; give a length of time.`,
      expect.stringMatching(`^${file}:15: gate.probe\\[0\\].url is not this host`),
      `${file}:17: gate.probe[1].type must be one of "http", "tcp", "unix", "exec".`,
      `${file}:18: gate.probe[2].port is missing.`,
      `${file}:20: gate.probe[2].prt is not a known key. Did you mean port?`,
      `${file}:21: unit.user is missing.`,
      `${file}:22: unit.exec must be a string or an array of strings, not a whole number.`,
    ]);
  });

  it.each([
    { name: 'a tab where none may be', text: 'binary =\n\t"x"\n', line: 1 },
    { name: 'YAML', text: '# a node\nbinary: bin/workerd\n', line: 2 },
    { name: 'a table named twice', text: '[gate]\n[source]\n[gate]\n', line: 3 },
  ])('refuses $name with its line [F115][P6]', ({ text, line }) => {
    using host = configHost();
    host.write(NODE, text);
    expect(only(host.load().problems)).toMatchObject({
      code: 'CONFIG_SYNTAX',
      stops: 'workerd',
      place: { line },
    });
  });

  it('refuses an empty node file, naming what is missing, and one that is not UTF-8 [F115] [S2.37]', () => {
    using host = configHost();
    host.write(NODE, '');
    expect(host.problems()).toEqual([
      `/${NODE}: binary is missing.`,
      `/${NODE}: source.url is missing.`,
      `/${NODE}: trust.keys is missing: nothing can be verified without a key.`,
    ]);
    host.write(NODE, Buffer.from([0x23, 0xff, 0x0a]));
    expect(only(host.load().problems).code).toBe('CONFIG_SYNTAX');
  });

  it('goes on with the other nodes when one file is broken, and stops for the broken one alone [F115]', () => {
    using host = configHost();
    host.write(NODE, MINIMAL);
    host.write('etc/node-updater/nodes.d/storj.toml', 'binary = 1\n');
    const loaded = host.load();
    expect(loaded.settings.nodes.map(({ node }) => node)).toEqual(['workerd']);
    expect(requireNode(loaded, 'workerd').binary).toBe('bin/workerd');
    expect(problemsOf(loaded, findNode(loaded, 'workerd'))).toEqual([]);
    expect(() => requireNode(loaded, 'storj')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', exit: 78 }));
  });

  it('names the node that was meant when there is none of that name', () => {
    using host = configHost();
    host.write(NODE, MINIMAL);
    const loaded = host.load();
    expect(() => requireNode(loaded, 'worked')).toThrow(/Did you mean workerd\?/);
    expect(() => requireNode(loaded, 'worked')).toThrow(expect.objectContaining({ code: 'CONFIG_UNKNOWN_NODE' }));
  });

  it('stops every node when the global file is broken, and still has settings for the log [P6]', () => {
    using host = configHost();
    host.write(NODE, MINIMAL);
    host.write(GLOBAL, 'log_level = "loud"\n[fetch]\ntotal_timeout = "1h"\n');
    const loaded = host.load();
    expect(host.problems()).toEqual([`/${GLOBAL}:1: log_level must be one of "error", "warn", "info", "debug".`]);
    expect(() => requireNode(loaded, 'workerd')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(loaded.settings.global.logLevel).toBe('info');
  });

  it('refuses two nodes that work in one directory, and leaves a third alone [F112]', () => {
    using host = configHost();
    const unit = '[unit]\nexec = "bin/w"\nuser = "w"\nworking_directory =';
    host.write('etc/node-updater/nodes.d/a.toml', `${MINIMAL}${unit} "/srv/data/"\n`);
    host.write('etc/node-updater/nodes.d/b.toml', `${MINIMAL}${unit} "/srv/data"\n`);
    host.write('etc/node-updater/nodes.d/c.toml', `${MINIMAL}${unit} "/srv/other"\n`);
    expect(host.problems()).toEqual([
      '/etc/node-updater/nodes.d/a.toml: unit.working_directory is /srv/data, which b works in as well.',
      '/etc/node-updater/nodes.d/b.toml: unit.working_directory is /srv/data, which a works in as well.',
    ]);
    expect(host.load().settings.nodes.map(({ node }) => node)).toEqual(['c']);
  });
});

describe('drop-ins', () => {
  it('apply by name over the main file, whichever directory they are in; a higher directory replaces a name', () => {
    using host = configHost();
    host.write(GLOBAL, 'log_level = "error"\nheartbeat_timeout = "10min"\n[fetch]\nconnect_timeout = "1s"\n');
    host.write('usr/lib/node-updater/conf.d/20-x.toml', 'log_level = "warn"\n');
    host.write('run/node-updater/conf.d/20-x.toml', '[fetch]\nconnect_timeout = "2s"\n');
    host.write('etc/node-updater/conf.d/10-y.toml', '[fetch]\nconnect_timeout = "3s"\nslow_window = "9s"\n');
    const { settings, global } = host.load();
    expect(host.problems()).toEqual([]);
    expect(settings.global).toMatchObject({ logLevel: 'error', heartbeatTimeout: 600_000 });
    expect(settings.global.fetch).toMatchObject({ connectTimeout: 2000, slowWindow: 9000 });
    expect(global.find(({ key }) => key === 'fetch.connect_timeout')?.origin).toEqual({
      type: 'file',
      file: `${host.root}/run/node-updater/conf.d/20-x.toml`,
      line: 2,
    });
  });

  it('are masked by a link to /dev/null of the same name in a higher directory', () => {
    using host = configHost();
    host.write('usr/lib/node-updater/conf.d/20-x.toml', 'log_level = "warn"\n');
    host.write('etc/node-updater/conf.d/.keep', '');
    symlinkSync('/dev/null', `${host.root}/etc/node-updater/conf.d/20-x.toml`);
    expect(host.problems()).toEqual([]);
    expect(host.load().settings.global.logLevel).toBe('info');
  });

  it('that are wrongly named are an error, never passed over in silence; known leftovers are a warning', () => {
    using host = configHost();
    for (const name of ['10-a.conf', '20-b.toml.dpkg-dist', '30-c.toml~', '.40-d.toml.swp', 'README']) {
      host.write(`etc/node-updater/conf.d/${name}`, 'log_level = "debug"\n');
    }
    const { problems, settings } = host.load();
    expect(
      problems.map(({ severity, stops, place }) => [severity, stops, 'file' in place && place.file.split('/').at(-1)]),
    ).toEqual([
      ['error', 'all', '10-a.conf'],
      ['warning', 'all', '20-b.toml.dpkg-dist'],
      ['warning', 'all', '30-c.toml~'],
      ['error', 'all', 'README'],
    ]);
    expect(host.problems()[0]).toMatch(/Did you mean 10-a\.toml\?/);
    expect(settings.global.logLevel).toBe('info');
  });
});

describe('names of node files', () => {
  it.each(['-x', 'foo@', 'a b', 'a\nb', 'x.service', 'node-updater', 'node-updater-fetch@x', 'ä'])(
    'refuses %j, and goes on with the other nodes [F116]',
    (name) => {
      using host = configHost();
      host.write(NODE, MINIMAL);
      host.write(`etc/node-updater/nodes.d/${name}.toml`, MINIMAL);
      const { problems, settings } = host.load();
      expect(problems.map(({ code, stops }) => [code, stops])).toEqual([['CONFIG_INVALID', 'none']]);
      expect(settings.nodes.map(({ node }) => node)).toEqual(['workerd']);
    },
  );

  it('accepts an instance of a template, whose manifest is that of the template [F116]', () => {
    using host = configHost();
    host.write('etc/node-updater/nodes.d/storj@1.toml', MINIMAL);
    expect(host.problems()).toEqual([]);
    expect(only(host.load().settings.nodes).source.name).toBe('storj');
  });
});

describe('what the package ships', () => {
  it('the global file loads, and sets nothing but what is the default', () => {
    using host = configHost();
    const shipped = readFileSync(new URL('../../../packaging/default.toml', import.meta.url), 'utf8');
    const defaults = host.load().settings;
    host.write(GLOBAL, shipped.replaceAll(/^#(?=[a-z])/gm, ''));
    expect(host.problems()).toEqual([]);
    expect(host.load().settings).toEqual(defaults);
    expect(host.load().global.map(({ origin }) => origin.type)).not.toContain('default');
    host.write(GLOBAL, shipped);
    expect(host.problems()).toEqual([]);
    expect(host.load().global.map(({ origin }) => origin.type)).not.toContain('file');
  });

  it('the example loads, as it is and with every line that is commented out', () => {
    using host = configHost();
    const shipped = readFileSync(new URL('../../../packaging/example.toml', import.meta.url), 'utf8');
    host.write(NODE, shipped);
    expect(host.problems()).toEqual([]);
    const asIs = only(host.load().settings.nodes);
    host.write(NODE, shipped.replaceAll(/^#(?=[a-z[])/gm, ''));
    expect(host.problems()).toEqual([]);
    const all = only(host.load().settings.nodes);
    expect(all.gate).toEqual({ ...asIs.gate, probes: all.gate.probes });
    expect(all.gate.probes.map(({ type }) => type)).toEqual(['http', 'tcp', 'unix', 'exec']);
    expect(all.unit).toMatchObject({ ...asIs.unit, environment: { RUST_LOG: 'info' } });
    const said = host.load().nodes.get(all.node) ?? [];
    expect(said.filter(({ origin }) => origin.type === 'default')).toEqual([]);
  });
});
