import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  renderNodeDropIn,
  renderProbationDropIn,
  renderProbeDropIn,
  renderUnit,
} from '../../../src/activation/unit-file.ts';
import { parseNodeName, type NodeName } from '../../../src/release.ts';
import type { NodeSettings, UnitSettings } from '../../../src/settings.ts';
import { expand, readBySystemd, readWords, valuesOf } from './read-unit.ts';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'unit-file-'));
  chmodSync(path, 0o777);
  directories.push(path);
  return path;
}

function nodeName(text: string): NodeName {
  const name = parseNodeName(text);
  if (name === undefined) throw new Error(text);
  return name;
}

const workerd = nodeName('workerd');
const unit: UnitSettings = {
  description: 'workerd, kept up to date by node-updater',
  exec: ['bin/workerd', 'serve', '/etc/workerd/config.capnp'],
  type: 'exec',
  user: 'workerd',
  environment: {},
  restart: 'always',
  restartDelay: 5000,
  stopTimeout: 90_000,
};

function settingsWith(changes: Partial<UnitSettings>): NodeSettings {
  return {
    node: workerd,
    file: '/etc/node-updater/nodes.d/workerd.toml',
    interval: 3_600_000,
    source: {
      type: 'manifest',
      urls: ['https://example.org/m.json'],
      name: 'workerd',
      channel: 'stable',
      insecureHttp: false,
    },
    trust: { keySet: 1, threshold: 1, keys: [] },
    binary: 'bin/workerd',
    keepVersions: 3,
    mounts: [],
    gate: { soak: 1, startTimeout: 1, interval: 1, timeout: 1, grace: 0, failures: 1, probes: [] },
    unit: { ...unit, ...changes },
  };
}

/** Text that a unit can hold: no control characters, no halves of pairs, no non-characters. */
const holdable = fc
  .string({ unit: 'binary', maxLength: 24 })
  .filter((text) => !/[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u.test(text));
const tricky = fc
  .array(
    fc.constantFrom('%', '$', '${', '}', '"', "'", '\\', ' ', ';', '#', '\\n', '%n', '$$', 'a', '=', '@', '-', '[x]'),
  )
  .map((parts) => parts.join(''));
const word = fc.oneof(holdable, tricky);

describe('renderUnit', () => {
  it('writes a unit that starts at boot, through the link, and never gives up [S1.5][S1.33][S1.34]', () => {
    expect(renderUnit(settingsWith({})))
      .toBe(`# Written by node-updater from /etc/node-updater/nodes.d/workerd.toml; a change here is overwritten.
# To change it edit that file, or add a drop-in: systemctl edit workerd.service
[Unit]
Description=workerd, kept up to date by node-updater
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=/opt/workerd/current/bin/workerd serve /etc/workerd/config.capnp
User=workerd
Restart=always
RestartSec=5s
TimeoutStopSec=90s

[Install]
WantedBy=multi-user.target
`);
  });

  it('writes the limits of memory and CPU as systemd takes them [S1.42][S1.43]', () => {
    const text = renderUnit(
      settingsWith({ memoryMax: '1G', cpuQuota: '80%', group: 'nodes', workingDirectory: '/srv/w d' }),
    );
    expect(valuesOf(text, 'MemoryMax')).toEqual(['1G']);
    expect(valuesOf(text, 'CPUQuota')).toEqual(['80%']);
    expect(valuesOf(text, 'Group')).toEqual(['nodes']);
    expect(valuesOf(text, 'WorkingDirectory')).toEqual(['/srv/w d']);
  });

  it('writes arguments and environment such that a reader of systemd.syntax(7) gets them back [F092]', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), word, (args, value) => {
        const text = renderUnit(settingsWith({ exec: ['bin/w', ...args], environment: { X: value } }));
        const [program, ...read] = readWords(valuesOf(text, 'ExecStart').join('\n')).map((w) => expand(w, '%'));
        expect(program).toBe('/opt/workerd/current/bin/w');
        expect(read.map((w) => expand(w, '$'))).toEqual(args);
        expect(readWords(valuesOf(text, 'Environment').join('\n')).map((w) => expand(w, '%'))).toEqual([`X=${value}`]);
        expect(text.split('\n').filter((line) => line.startsWith('Exec'))).toHaveLength(1);
      }),
    );
  });

  it('writes arguments and environment such that systemd itself reads them back [F092]', () => {
    const args = fc.sample(word, { numRuns: 150, seed: 92 });
    const environment = Object.fromEntries(args.map((value, index) => [`V${index}`, value]));
    const read = readBySystemd(
      renderUnit(settingsWith({ exec: ['bin/w', ...args], environment, user: 'nobody' })),
      directory(),
    );
    expect(read.environment).toEqual(Object.entries(environment).map(([name, value]) => `${name}=${value}`));
    // systemd expands `$$` when it starts the process.
    expect(read.command.slice(1).map((w) => expand(w, '$'))).toEqual(args);
  });

  it('refuses control characters in every value, so that none becomes a second directive [F092]', () => {
    const controls = ['\n', '\r', '\0', '\t', '\u001b', '\u0085', '\ud800', '\ufffe'];
    fc.assert(
      fc.property(holdable, fc.constantFrom(...controls), holdable, (before, control, after) => {
        const hostile = `${before}${control}${after}`;
        for (const changes of [
          { description: `d${hostile}d` },
          { exec: ['bin/w', hostile] },
          { exec: [`bin/${hostile}w`] },
          { user: `u${hostile}u` },
          { environment: { X: hostile } },
          { environment: { [hostile]: 'x' } },
          { workingDirectory: `/${hostile}x` },
          { memoryMax: `1G${hostile}` },
        ] satisfies Partial<UnitSettings>[]) {
          expect(() => renderUnit(settingsWith(changes))).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
        }
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    { name: 'a trailing backslash, which joins lines', changes: { description: 'x\\' } },
    { name: 'a program with a variable', changes: { exec: ['bin/$HOME'] } },
    { name: 'an absolute program, which no upgrade would move', changes: { exec: ['/usr/bin/workerd'] } },
    { name: 'an empty command', changes: { exec: [] } },
  ])('refuses $name [F092]', ({ changes }) => {
    expect(() => renderUnit(settingsWith(changes))).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  it('writes units that systemd-analyze verify has nothing to say about [F092]', () => {
    const root = directory();
    const program = join(root, 'opt/workerd/current/bin/w');
    mkdirSync(dirname(program), { recursive: true });
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 });
    const hostile = ['%n', '$HOME', '"', "'", '\\', ';', 'a b', '#', ''];
    const text = renderUnit(
      settingsWith({
        exec: ['bin/w', ...hostile],
        environment: { X: '%n "x" \\' },
        user: 'root',
        memoryMax: '50%',
        cpuQuota: '150%',
        description: '100% "odd" \\ text',
        workingDirectory: '/tmp',
      }),
    ).replaceAll('/opt/workerd/current/bin/w', program);
    const files = {
      'workerd.service': text,
      'workerd.service.d/50-node-updater.conf': renderNodeDropIn(workerd),
      'workerd.service.d/zzz-node-updater.conf': renderProbationDropIn({ triggered: false }),
      'node-updater-boot@.service': '[Service]\nType=oneshot\nExecStart=true\n',
      'node-updater-probe@.service': '[Service]\nType=oneshot\nExecStart=true\nGroup=daemon\n',
      'node-updater-probe@workerd.service.d/50-node-updater.conf': renderProbeDropIn({ user: 'daemon' }),
    };
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), content);
    }
    for (const name of ['workerd.service', 'node-updater-probe@workerd.service']) {
      const result = spawnSync('systemd-analyze', ['verify', '--man=no', name], {
        encoding: 'utf8',
        env: { ...process.env, SYSTEMD_UNIT_PATH: `${root}:` },
      });
      expect({ name, said: aboutUs(`${result.stdout}${result.stderr}`, root), status: result.status }).toEqual({
        name,
        said: [],
        status: 0,
      });
    }
  });
});

describe('drop-ins', () => {
  it('the one of the node pulls in the fallback at boot and holds the node while data is restored', () => {
    expect(renderNodeDropIn(nodeName('storj@1')))
      .toBe(`# Written by node-updater: what the fallback of storj@1 needs. Goes when node-autoupdate is purged.
[Unit]
Wants=node-updater-boot@storj@1.service node-updater-restore@storj@1.service
After=node-updater-boot@storj@1.service node-updater-backup@storj@1.service
AssertPathExists=!/var/lib/node-updater/storj@1/restoring
`);
  });

  it('the one of the probation makes every exit restart and be counted [S1.25]', () => {
    expect(renderProbationDropIn({ triggered: false }))
      .toBe(`# Written by node-updater while a new version is on probation; gone when it is committed or put back.
[Unit]
StartLimitIntervalSec=0
[Service]
Restart=always
RestartSec=1s
RestartPreventExitStatus=
`);
  });

  it('the one of the probation leaves Restart= alone where a socket or timer triggers the unit', () => {
    expect(renderProbationDropIn({ triggered: true })).not.toMatch(/^Restart=/m);
    expect(renderProbationDropIn({ triggered: true })).toMatch(/^StartLimitIntervalSec=0$/m);
  });

  it('the one of the probe room names the user, and resets the group of the template', () => {
    expect(valuesOf(renderProbeDropIn({ user: 'workerd' }), 'Group')).toEqual(['']);
    expect(valuesOf(renderProbeDropIn({ user: 'workerd', group: 'g' }), 'Group')).toEqual(['g']);
    expect(valuesOf(renderProbeDropIn({ user: 'workerd' }), 'User')).toEqual(['workerd']);
    expect(() => renderProbeDropIn({ user: 'x\nExecStart=/bin/sh' })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });
});

/** verify also speaks about units of the host that are none of ours. */
function aboutUs(output: string, root: string): string[] {
  return output
    .split('\n')
    .filter((line) => line.includes(root) || line.includes('workerd') || line.includes('node-updater'));
}
