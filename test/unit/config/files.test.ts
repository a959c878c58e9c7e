import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configHost, MINIMAL } from './host.ts';

const NODE = 'etc/node-updater/nodes.d/workerd.toml';
const isRoot = process.geteuid?.() === 0;

describe('a configuration file', () => {
  it.each([
    { name: 'is writable by everybody', mode: 0o666 },
    { name: 'is writable by everybody and readable by none', mode: 0o602 },
  ])('that $name is not read [F115]', ({ mode }) => {
    using host = configHost();
    host.write(NODE, MINIMAL, mode);
    const { problems, settings } = host.load();
    expect(problems).toMatchObject([{ code: 'CONFIG_UNSAFE_FILE', stops: 'workerd' }]);
    expect(host.problems()).toEqual([`/${NODE}: is writable by everybody; it was not read.`]);
    expect(settings.nodes).toEqual([]);
  });

  it.runIf(isRoot)('that belongs to somebody else, or that a group may write, is not read [F115]', () => {
    using host = configHost();
    const file = host.write(NODE, MINIMAL);
    chownSync(file, 65_534, 0);
    expect(host.problems()).toEqual([`/${NODE}: belongs to user 65534, not to root; it was not read.`]);
    chownSync(file, 0, 65_534);
    expect(host.problems()).toEqual([]);
    chmodSync(file, 0o664);
    expect(host.problems()).toEqual([`/${NODE}: is writable by group 65534; it was not read.`]);
  });

  it('in a directory where everybody could put files is not read, and all nodes stop [F115]', () => {
    using host = configHost();
    host.write(NODE, MINIMAL);
    chmodSync(host.layout.nodes, 0o777);
    expect(host.load().problems).toMatchObject([{ code: 'CONFIG_UNSAFE_FILE', stops: 'all' }]);
    expect(host.load().settings.nodes).toEqual([]);
  });

  it('that is a FIFO or a directory is refused without waiting for it', () => {
    using host = configHost();
    mkdirSync(host.layout.nodes, { recursive: true });
    execFileSync('mkfifo', [`${host.layout.nodes}/fifo.toml`]);
    mkdirSync(`${host.layout.nodes}/directory.toml`);
    expect(host.problems()).toEqual([
      '/etc/node-updater/nodes.d/directory.toml: is no regular file; it was not read.',
      '/etc/node-updater/nodes.d/fifo.toml: is no regular file; it was not read.',
    ]);
  });

  it('that is a link is held to the same rules, and one to nothing is an error', () => {
    using host = configHost();
    mkdirSync(host.layout.nodes, { recursive: true });
    symlinkSync(host.write('srv/good.toml', MINIMAL), `${host.layout.nodes}/good.toml`);
    symlinkSync(host.write('srv/bad.toml', MINIMAL, 0o666), `${host.layout.nodes}/bad.toml`);
    symlinkSync('/nonexistent', `${host.layout.nodes}/dangling.toml`);
    expect(host.problems()).toEqual([
      '/etc/node-updater/nodes.d/bad.toml: is writable by everybody; it was not read.',
      '/etc/node-updater/nodes.d/dangling.toml: is a link to nothing.',
    ]);
    expect(host.load().settings.nodes.map(({ node }) => node)).toEqual(['good']);
  });

  it('larger than 1 MiB is not read', () => {
    using host = configHost();
    host.write(NODE, `#${'x'.repeat(1024 * 1024)}\n${MINIMAL}`);
    expect(host.load().problems).toMatchObject([{ code: 'CONFIG_UNSAFE_FILE' }]);
  });
});
