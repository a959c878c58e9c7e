import { describe, expect, it } from 'vitest';
import { configHost, MINIMAL } from './host.ts';

const FILE = 'etc/node-updater/nodes.d/workerd.toml';

function problemsWith(table: string): string[] {
  using host = configHost();
  host.write(FILE, `${MINIMAL}[backup]\n${table}\n`);
  return host.problems();
}

describe('[backup]', () => {
  it('needs paths, and has a default for the rest', () => {
    expect(problemsWith('keep = 2')).toEqual([expect.stringMatching(/: backup\.paths is missing\.$/)]);
    using host = configHost();
    host.write(FILE, `${MINIMAL}[backup]\npaths = "/srv/workerd/"\n`);
    expect(host.problems()).toEqual([]);
    expect(host.load().settings.nodes[0]?.backup).toEqual({
      paths: ['/srv/workerd'],
      exclude: [],
      neverRestore: [],
      directory: `${host.root}/var/lib/node-updater/workerd/backups`,
      keep: 3,
      method: 'auto',
      before: 'upgrade',
      longest: 3_600_000,
    });
  });

  it('takes sizes, times and globs as they are written elsewhere', () => {
    using host = configHost();
    const table = 'keep_age = "30d"\nkeep_size = "10G"\nexclude = ["cache/", "**/*.log"]\nnever_restore = ["keys/*"]';
    host.write(FILE, `${MINIMAL}[backup]\npaths = ["/srv/a", "/home/w/.data"]\ndirectory = "/backup/w"\n${table}\n`);
    expect(host.load().settings.nodes[0]?.backup).toMatchObject({
      keepAge: 30 * 86_400_000,
      keepSize: 10 * 1024 ** 3,
      exclude: ['cache/', '**/*.log'],
      neverRestore: ['keys/*'],
      directory: '/backup/w',
    });
  });

  it.each([
    ['paths = "srv"', 'paths'],
    ['paths = "/"', 'paths'],
    ['paths = []', 'paths'],
    ['paths = "/tmp/x"', 'paths'],
    ['paths = "/run/workerd"', 'paths'],
    ['paths = "/var"', 'paths'],
    ['paths = "/etc/workerd"', 'paths'],
    ['paths = ["/srv/a", "/srv/a"]', 'paths'],
    ['paths = "/srv/a"\ndirectory = "/srv/a/backups"', 'paths'],
    ['paths = "/srv/a/data"\ndirectory = "/srv/a"', 'paths'],
    ['paths = "/srv/a"\ndirectory = "/etc/backups"', 'directory'],
    ['paths = "/srv/a"\nexclude = ["/cache"]', 'exclude'],
    ['paths = "/srv/a"\nexclude = ["../x"]', 'exclude'],
    ['paths = "/srv/a"\nkeep = 0', 'keep'],
    ['paths = "/srv/a"\nkeep_size = "1"', 'keep_size'],
    ['paths = "/srv/a"\nmethod = "tar"', 'method'],
  ])('refuses %j, and names the line and the key', (table, key) => {
    expect(problemsWith(table)).toEqual([expect.stringMatching(new RegExp(`^/${FILE}:\\d+: backup\\.${key} \\S`))]);
  });

  it('refuses to back up, or put back, what is our own', () => {
    using host = configHost();
    const paths = ['opt/workerd/data', 'opt', 'var/lib/node-updater', 'var/lib/node-updater/workerd/backups/x'];
    host.write(FILE, `${MINIMAL}[backup]\npaths = ${JSON.stringify(paths.map((path) => `${host.root}/${path}`))}\n`);
    expect(host.problems()).toEqual([
      `/${FILE}:7: backup.paths names /opt/workerd/data, which lies within /opt/workerd: the versions of the node.`,
      `/${FILE}:7: backup.paths names /opt, which holds /opt/workerd: the versions of the node.`,
      expect.stringContaining('which holds /var/lib/node-updater/workerd/backups: the backups themselves.'),
      expect.stringContaining('which lies within /var/lib/node-updater/workerd/backups: the backups themselves.'),
    ]);
  });

  it('refuses backups in the data of another node: a restore there would take them away', () => {
    using host = configHost();
    host.write(FILE, `${MINIMAL}[backup]\npaths = "/srv/a"\n`);
    host.write(
      'etc/node-updater/nodes.d/other.toml',
      `${MINIMAL}[backup]\npaths = "/srv/b"\ndirectory = "/srv/a/backups"\n`,
    );
    expect(host.problems()).toEqual([
      expect.stringContaining('backup.directory is /srv/a/backups, which workerd uses as well.'),
      expect.stringContaining('backup.paths is /srv/a, which other uses as well.'),
    ]);
  });

  it('refuses data that another node backs up as well', () => {
    using host = configHost();
    host.write(FILE, `${MINIMAL}[backup]\npaths = "/srv/a"\n`);
    host.write('etc/node-updater/nodes.d/other.toml', `${MINIMAL}[backup]\npaths = "/srv/a/b"\n`);
    expect(host.problems()).toEqual([
      expect.stringContaining('backup.paths is /srv/a/b, which workerd uses as well.'),
      expect.stringContaining('backup.paths is /srv/a, which other uses as well.'),
    ]);
  });
});
