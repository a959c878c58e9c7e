import { describe, expect, it } from 'vitest';
import { splitCommand } from '../../../src/config/command.ts';
import { configHost, FINGERPRINT, MINIMAL } from './host.ts';

/** The problems of one node whose file is this, without its path and line. */
function problemsWith(text: string): string[] {
  using host = configHost();
  host.write('etc/node-updater/nodes.d/workerd.toml', text);
  return host.problems().map((line) => line.replace(/^[^ ]+ /, ''));
}

function nodeWith(text: string) {
  using host = configHost();
  host.write('etc/node-updater/nodes.d/workerd.toml', text);
  expect(host.problems()).toEqual([]);
  return { node: host.load().settings.nodes[0], root: host.root };
}

function probe(text: string): string {
  return `${MINIMAL}[[gate.probe]]\n${text}\n`;
}

function unit(text: string): string {
  return `${MINIMAL}[unit]\n${text}\n`;
}

describe('probes', () => {
  it.each(['http://127.0.0.1:1/x', 'http://127.9.9.9/', 'http://localhost:80/', 'http://[::1]:1/'])(
    'may ask %s',
    (url) => {
      expect(problemsWith(probe(`type = "http"\nurl = "${url}"`))).toEqual([]);
    },
  );

  it.each([
    'http://example.org/',
    'http://10.0.0.1/',
    'http://0.0.0.0/',
    'http://[::ffff:127.0.0.1]/',
    'http://127.0.0.1.example.org/',
    'http://localhost@example.org/',
    'https://localhost/',
    'ftp://localhost/',
  ])('may not ask %s', (url) => {
    expect(problemsWith(probe(`type = "http"\nurl = "${url}"`))).toEqual([
      expect.stringMatching(/^gate\.probe\[0\]\.url /),
    ]);
  });

  it('of tcp stay on this host as well, and ports are ports', () => {
    expect(problemsWith(probe('type = "tcp"\nhost = "example.org"\nport = 65536'))).toEqual([
      expect.stringMatching(/^gate\.probe\[0\]\.host is not this host/),
      'gate.probe[0].port must be between 1 and 65535.',
    ]);
  });

  it.each(['::1', '[::1]'])('of tcp are asked at ::1 when that is written as %s', (host) => {
    const { node } = nodeWith(probe(`type = "tcp"\nhost = "${host}"\nport = 1`));
    expect(node?.gate.probes).toEqual([{ type: 'tcp', host: '::1', port: 1 }]);
  });

  it('are asked no more often in a soak than their report can hold', () => {
    const gate = (interval: string) => `${MINIMAL}[gate]\nsoak = "4d"\ninterval = "${interval}"\n`;
    const one = '[[gate.probe]]\ntype = "tcp"\nport = 1\n';
    expect(problemsWith(`${gate('2s')}${one}`)).toEqual([expect.stringMatching(/^gate\.interval is too short/)]);
    expect(problemsWith(`${gate('4s')}${one}`)).toEqual([]);
    expect(problemsWith(gate('2s'))).toEqual([]);
  });

  it('of exec name a program by its absolute path, or inside the release', () => {
    const { node, root } = nodeWith(probe('type = "exec"\ncommand = "./bin/check --fast"'));
    expect(node?.gate.probes).toEqual([{ type: 'exec', command: [`${root}/opt/workerd/current/bin/check`, '--fast'] }]);
    expect(problemsWith(probe('type = "exec"\ncommand = ["curl", "x"]'))).toEqual([
      expect.stringMatching(/^gate\.probe\[0\]\.command has a program without a path, "curl"/),
    ]);
    expect(problemsWith(probe('type = "exec"\ncommand = "../x"'))).toHaveLength(1);
  });
});

describe('source and trust', () => {
  it('a source has so many mirrors as a look can ask', () => {
    const at = (mirrors: number) => {
      const urls = Array.from({ length: mirrors }, (_, index) => `"https://${index}.example.org/manifest.json"`);
      return MINIMAL.replace('"https://example.org/manifest.json"', `[${urls.join(', ')}]`);
    };
    expect(problemsWith(at(16))).toEqual([]);
    expect(problemsWith(at(17))).toEqual([expect.stringMatching(/^source\.url names 17 mirrors; at most 16/)]);
  });

  it('plain http is refused but for this host, or where it is asked for [P7]', () => {
    const at = (url: string, more = '') => MINIMAL.replace('https://example.org/manifest.json"', `${url}"\n${more}`);
    expect(problemsWith(at('http://example.org/m'))).toEqual([
      'source.url is plain http to another host: http://example.org/m. Use https, or set insecure_http = true.',
    ]);
    expect(problemsWith(at('http://example.org/m', 'insecure_http = true'))).toEqual([]);
    expect(problemsWith(at('http://127.0.0.1:8000/m'))).toEqual([]);
    expect(problemsWith(at('file:///srv/mirror/m'))).toEqual([]);
    expect(problemsWith(at('file://host/m'))).toHaveLength(1);
    expect(problemsWith(at('ftp://example.org/m'))).toHaveLength(1);
  });

  it('a threshold that the keys cannot meet, a key named twice, and no key are refused', () => {
    const key = `{ file = "a.asc", fingerprint = "${FINGERPRINT}" }`;
    const trust = (text: string) => MINIMAL.replace(/keys = .*/, text);
    expect(problemsWith(trust(`threshold = 2\nkeys = [${key}]`))).toEqual([
      'trust.threshold asks for 2 signatures, but there are 1 keys.',
    ]);
    expect(problemsWith(trust(`keys = [${key}, ${key.toLowerCase()}]`))).toEqual([
      'trust.keys names the same fingerprint twice.',
    ]);
    expect(problemsWith(trust('keys = []'))).toEqual(['trust.keys is empty: nothing can be verified without a key.']);
  });
});

describe('version', () => {
  it.each(['workerd', '(', '(x', `(${'x'.repeat(600)})`])('refuses the pattern %j', (pattern) => {
    expect(problemsWith(`${MINIMAL}[version]\npattern = '${pattern}'\n`)).toEqual([
      expect.stringMatching(/^version\.pattern /),
    ]);
  });
});

describe('unit', () => {
  const GOOD = 'exec = "bin/w"\nuser = "w"\n';

  it.each([
    'exec = "/usr/bin/w"\nuser = "w"',
    'exec = "../w"\nuser = "w"',
    'exec = "bin/$X"\nuser = "w"',
    'exec = ""\nuser = "w"',
    'exec = []\nuser = "w"',
    'exec = "bin/w \\"open"\nuser = "w"',
    'exec = ["bin/w", "a\\nb"]\nuser = "w"',
    'exec = "bin/w"\nuser = "w x"',
    'exec = "bin/w"\nuser = "w\\nExecStart=x"',
    `${GOOD}memory_max = "0"`,
    `${GOOD}memory_max = "101%"`,
    `${GOOD}memory_max = "1X"`,
    `${GOOD}cpu_quota = "80"`,
    `${GOOD}cpu_quota = "0%"`,
    `${GOOD}stop_timeout = "infinity"`,
    `${GOOD}restart = "sometimes"`,
    `${GOOD}description = "x\\\\"`,
    `${GOOD}environment = { "A B" = "x" }`,
    `${GOOD}environment = { A = 1 }`,
    `${GOOD}environment = { A = "x\\ny" }`,
    `${GOOD}working_directory = "srv"`,
    `${GOOD}working_directory = "/srv/../etc"`,
  ])('refuses %j [F092]', (text) => {
    expect(problemsWith(unit(text))).toEqual([expect.stringMatching(/^unit\./)]);
  });

  it('takes limits as systemd writes them [S1.42][S1.43]', () => {
    const { node } = nodeWith(unit(`${GOOD}memory_max = "1536M"\ncpu_quota = "150%"\nenvironment = { A = "" }`));
    expect(node?.unit).toMatchObject({ memoryMax: '1536M', cpuQuota: '150%', environment: { A: '' } });
  });

  it('refuses a binary outside the release', () => {
    for (const path of ['/bin/sh', '../x', 'a//b', 'a/', '.']) {
      expect(problemsWith(MINIMAL.replace('bin/workerd', path))).toEqual([expect.stringMatching(/^binary must/)]);
    }
  });
});

describe('splitCommand', () => {
  it.each([
    ['bin/w  a b ', ['bin/w', 'a', 'b']],
    [`bin/w 'a "b' "c 'd" e\\ f`, ['bin/w', 'a "b', `c 'd`, 'e f']],
    [`bin/w "" '' x"y"z`, ['bin/w', '', '', 'xyz']],
    ['bin/w "a\\"b\\\\" \'a\\b\' $HOME', ['bin/w', 'a"b\\', 'a\\b', '$HOME']],
  ])('splits %j', (line, words) => {
    expect(splitCommand(line)).toEqual({ ok: true, value: words });
  });
});
