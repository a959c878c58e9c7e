/** The fetch room as it is installed: what is left in its cache directory, and the settings of [fetch] in its sandbox. */
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeCa } from '../rig/http/certificates.ts';
import { makeLab, type Lab } from '../rig/lab/lab.ts';
import { runs } from '../rig/lab/runs.ts';
import { makeTree } from '../rig/lab/tree.ts';

const HTTP = join(import.meta.dirname, '../rig/http');
const NODE = '/usr/lib/node-autoupdate/node';
/** More than what a server has sent before anybody reads it. */
const MUCH = 32 * 1024 * 1024;
let lab: Lab;

beforeEach(async () => {
  lab = await makeLab();
  await lab.configure({ soak: '1s' });
  await lab.publish('1.0.0');
});
afterEach(() => lab[Symbol.asyncDispose]());

async function upgraded(): Promise<void> {
  const { status, stderr } = await lab.updater('upgrade');
  expect(status, stderr).toBe(0);
}

/** Where the node's file says that its publisher is. */
function source(url: string): Promise<string> {
  return lab.host.sh(`sed -i 's,^url = "http://127.0.0.1:7000.*,url = "${url}",' /etc/node-updater/nodes.d/demo.toml`);
}

/** Runs a program of the rig in the background, and waits until it listens on `port`. */
async function serving(name: string, port: number): Promise<void> {
  await lab.host.sh(`systemd-run --quiet --unit=${name} ${NODE} /srv/${name}.ts`);
  await lab.host.waitFor(`curl -sk -o /dev/null 127.0.0.1:${port} || [ $? != 7 ]`);
}

const asFetch = (script: string) => lab.host.run(['sh', '-euc', script], { user: 'node-updater' });

describe('the cache directory', () => {
  it('that a fetch program has wedged, with trees that cannot be entered in place of every file, is cleared by the next one', async () => {
    await upgraded();
    await lab.publish('2.0.0');
    const wedged = await asFetch(`
      cd /var/cache/node-updater/demo
      rm -rf ./* .[!.]*
      for name in manifest.json 2.0.0.archive 2.0.0.archive.part 2.0.0.archive.asc fetch-report.json .retry-after.json; do
        mkdir -p "$name/inner/deep"
        touch "$name/inner/deep/file"
        chmod 000 "$name/inner/deep" "$name/inner" "$name"
      done
      mkfifo pipe; ln -s /etc link; touch unreadable; chmod 000 unreadable
      chmod 000 .`);
    expect(wedged.status, wedged.stderr).toBe(0);
    await upgraded();
    expect(await lab.facts()).toEqual(runs('2.0.0'));
    expect(await lab.host.sh('ls -A /var/cache/node-updater/demo | xargs')).toBe('fetch-report.json manifest.json');
    expect(await lab.host.journal('-u', 'node-updater-fetch@demo.service', '-o', 'cat')).toContain(
      'since no fetch leaves it there',
    );
  });
});

describe('the settings of [fetch] in /etc', () => {
  it('`ca_file` has a server believed that shows a certificate of this authority alone [F009] [S1.16]', async () => {
    const desk = await mkdtemp(join(tmpdir(), 'ca-'));
    const ca = await makeCa(desk);
    const { key, cert } = await ca.issue('releases');
    await rm(desk, { recursive: true });
    await lab.host.push(Buffer.from(key), '/srv/tls.key');
    await lab.host.push(Buffer.from(cert), '/srv/tls.pem');
    const program = `import { readFileSync } from 'node:fs';
      import { createServer } from 'node:https';
      import { staticFiles } from './static.ts';
      createServer({ key: readFileSync('/srv/tls.key'), cert: readFileSync('/srv/tls.pem') }, staticFiles('/srv/releases'))
        .listen(7443, '127.0.0.1');`;
    await lab.host.push(Buffer.from(program), '/srv/secure.ts');
    await serving('secure', 7443);
    await source('https://127.0.0.1:7443/manifest.json');
    const refused = await lab.updater('upgrade');
    expect(refused.status, refused.stderr).toBe(75);
    expect(refused.stderr).toMatch(/certificate/);
    await lab.host.push(Buffer.from(ca.certificate), '/etc/node-updater/authority.pem', 0o644);
    const setting = '[fetch]\nca_file = "/etc/node-updater/authority.pem"\n';
    await lab.host.push(Buffer.from(setting), '/etc/node-updater/conf.d/10-authority.toml', 0o644);
    await upgraded();
    expect(await lab.facts()).toEqual(runs('1.0.0'));
  });

  it('`proxy` has everything asked through it, with its password, which nobody else on the host can read', async () => {
    await lab.host.push(join(HTTP, 'proxy.ts'), '/srv/proxy-server.ts');
    const program = `import { startProxy } from './proxy-server.ts';
      import { createServer } from 'node:http';
      const proxy = await startProxy({ to: () => 7000, credentials: 'host:secret-of-the-proxy' });
      // It takes a port of its own; this one is known.
      const { connect, createServer: listen } = await import('node:net');
      listen((socket) => socket.pipe(connect(Number(new URL(proxy.url).port), '127.0.0.1')).pipe(socket)).listen(7128, '127.0.0.1');
      createServer((_, response) => response.end(proxy.asked.join('\\n'))).listen(7129, '127.0.0.1');`;
    await lab.host.push(Buffer.from(program), '/srv/proxy.ts');
    await serving('proxy', 7129);
    await source('http://releases.example/manifest.json"\\ninsecure_http = true #');
    const setting = '[fetch]\nproxy = "http://host:secret-of-the-proxy@127.0.0.1:7128"\n';
    await lab.host.push(Buffer.from(setting), '/etc/node-updater/conf.d/10-proxy.toml', 0o600);
    await upgraded();
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    const asked = (await lab.host.sh('curl -s http://127.0.0.1:7129')).split('\n');
    expect(asked).toContain('GET http://releases.example/manifest.json');
    expect(asked.filter((line) => line.endsWith('.tar'))).toHaveLength(1);
    const seen = await lab.host.run(['grep', '-rls', 'secret-of-the-proxy', '/run', '/etc', '/var/lib', '/var/cache'], {
      user: 'nobody',
    });
    expect(seen.stdout).toBe('');
    expect(await lab.host.journal('-o', 'cat')).not.toContain('secret-of-the-proxy');
  });
});

it('a host that sleeps in the middle of a download, and has lost its server meanwhile, goes on when it wakes [F108]', async () => {
  await upgraded();
  const { publisher } = lab;
  const tree = await makeTree(join(publisher.root, 'trees', '2.0.0'), '2.0.0', 'good');
  await writeFile(join(tree, 'share', 'much'), randomBytes(MUCH));
  await publisher.publish({ tree, version: '2.0.0', libc: 'gnu', format: 'tar', binary: 'bin/demod' });
  await cp(publisher.site, lab.host.path('/srv/releases'), { recursive: true, force: true });
  await lab.host.push(Buffer.from('[fetch]\nmaximum_speed = "4M"\n'), '/etc/node-updater/conf.d/10-slow.toml', 0o644);
  await lab.updater('upgrade', '--no-wait');
  const part = '/var/cache/node-updater/demo/2.0.0.archive.part';
  await lab.host.waitFor(`[ -s ${part} ]`);
  const both = 'node-updater-fetch@demo.service node-updater@demo.service';
  await lab.host.sh(`systemctl kill --signal=STOP ${both}; systemctl restart releases.service`);
  const had = Number(await lab.host.sh(`stat -c %s ${part}`));
  await lab.host.sh(`systemctl kill --signal=CONT ${both}`);
  expect(await lab.waitForEnd(2)).toBe('committed');
  expect(await lab.facts()).toEqual(runs('2.0.0'));
  expect(had).toBeLessThan(MUCH);
  expect(await lab.host.journal('-u', 'node-updater-fetch@demo.service', '-o', 'cat')).toMatch(/Trying again in/);
});

it('an upgrade comes as .tar.xz, unpacked by the xz program within the transaction’s sandbox', async () => {
  await upgraded();
  const { publisher } = lab;
  const tree = await makeTree(join(publisher.root, 'trees', '2.0.0'), '2.0.0', 'good');
  await publisher.publish({ tree, version: '2.0.0', libc: 'gnu', format: 'tar.xz', binary: 'bin/demod' });
  await cp(publisher.site, lab.host.path('/srv/releases'), { recursive: true, force: true });
  expect(await lab.host.sh('find /srv/releases -name "*.tar.xz" | wc -l')).toBe('1');
  await upgraded();
  expect(await lab.facts()).toEqual(runs('2.0.0'));
  const mode = await lab.host.sh('stat -c %a /opt/demo/versions/2.0.0/bin/demod');
  expect(mode).toBe('755');
});

it('the service of the timer can write to its own places alone', async () => {
  const look = `[Service]\nExecStart=\nExecStart=find / ( -path /proc -o -path /dev ) -prune -o -type d -writable -print -prune\n`;
  await lab.host.push(Buffer.from(look), '/run/systemd/system/node-updater.service.d/look.conf');
  await lab.host.sh('systemctl daemon-reload; systemctl start node-updater.service || true');
  const said = await lab.host.journal('-u', 'node-updater.service', '-o', 'cat', '-t', 'node-updater');
  const writable = said.split('\n').filter((line) => line.startsWith('/'));
  expect(writable.toSorted()).toEqual(['/run/node-updater', '/tmp', '/var/lib/node-updater', '/var/tmp']);
});
