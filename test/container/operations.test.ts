import { readdir, readFile, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { makeInstalled } from '../rig/lab/installed.ts';
import { makeLab, type Lab } from '../rig/lab/lab.ts';
import { runs } from '../rig/lab/runs.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

interface Status {
  readonly nodes: readonly { readonly state: string; readonly current: string }[];
}

/** Changes one byte in the middle of a published archive. */
async function damage(version: string): Promise<void> {
  const releases = lab.host.path(`/srv/releases/releases/${version}`);
  const [digest = ''] = await readdir(releases);
  const path = `${releases}/${digest}/demo-${version}-linux-amd64-gnu.tar`;
  const bytes = await readFile(path);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

describe('what cannot be had or believed', () => {
  it('changes nothing: a damaged archive is refused before anything is staged, linked or stopped, and said with both digests [P11][P36][P40][S2.29][S2.30]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    const pid = await lab.host.sh('systemctl show -P MainPID demo.service');
    await lab.publish('2.0.0');
    await damage('2.0.0');
    expect((await lab.updater('upgrade')).status).toBe(5);
    expect(await lab.lastEnd()).toMatchObject({ outcome: 'unchanged', failure: { code: 'TRUST_DIGEST' } });
    const told = await lab.host.journal('-o', 'cat', 'NODE_UPDATER_CODE=TRUST_DIGEST');
    expect(told).toMatch(/has SHA-256 [0-9a-f]{64}, and [0-9a-f]{64} is signed/);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await lab.host.sh('ls -A /opt/demo/versions')).not.toContain('2.0.0');
    expect(await lab.host.sh('ls -A /var/lib/node-updater/demo/incoming')).toBe('');
    expect(await lab.host.sh('systemctl show -P MainPID demo.service')).toBe(pid);
  });

  it('is fetched anew by each run, not taken from the cache: refused again, and taken once the mirror is mended [S2.31]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.publish('2.0.0');
    await damage('2.0.0');
    for (let run = 0; run < 2; run++) expect((await lab.updater('upgrade')).status).toBe(5);
    await damage('2.0.0'); // the same bit again
    const { status, stderr } = await lab.updater('upgrade');
    expect(status, stderr).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });

  it('never quarantines: the same release is taken once the mirror is well again [S1.10][S1.12][S1.13]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.publish('2.0.0');
    await lab.host.sh('systemctl stop releases.service');
    const refused = await lab.updater('upgrade');
    expect(refused.status, refused.stderr).toBe(75);
    expect(refused.stderr).toContain('127.0.0.1:7000');
    expect(await lab.host.sh('systemctl show -P Result node-updater@demo.service')).toBe('success');
    await lab.host.sh('systemctl start releases.service');
    expect((await lab.updater('upgrade')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });

  it('is found before the stop when /opt is read-only, and tried again by the next run [S1.15][S1.19][S2.28]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    const pid = await lab.host.sh('systemctl show -P MainPID demo.service');
    await lab.publish('2.0.0');
    await lab.host.sh('mount --bind /opt /opt && mount -o remount,bind,ro /opt');
    expect((await lab.updater('upgrade')).status).toBe(75);
    expect(await lab.lastEnd()).toMatchObject({ outcome: 'unchanged', failure: { code: 'DISK_READ_ONLY' } });
    expect(await lab.host.sh('systemctl show -P MainPID demo.service')).toBe(pid);
    await lab.host.sh('umount /opt');
    expect((await lab.updater('upgrade')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });

  it('is found before the stop when /opt/NODE is mounted noexec, and blames no version [S1.18]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    const pid = await lab.host.sh('systemctl show -P MainPID demo.service');
    await lab.publish('2.0.0');
    await lab.host.sh('mount --bind /opt/demo /opt/demo && mount -o remount,bind,noexec /opt/demo');
    const { status, stderr } = await lab.updater('upgrade');
    expect(status, stderr).toBe(1);
    expect(stderr).toContain('mount -o remount,exec /opt/demo');
    const end = await lab.lastEnd();
    expect(end).toMatchObject({ outcome: 'unchanged', failure: { code: 'DISK_NOEXEC' } });
    expect(end).not.toHaveProperty('quarantine');
    expect(await lab.host.sh('systemctl show -P MainPID demo.service')).toBe(pid);
    await lab.host.sh('mount -o remount,bind,exec /opt/demo');
    expect((await lab.updater('upgrade')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });

  it('is the configuration’s fault when version.pattern finds nothing: nothing is touched, no version is blamed', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.publish('2.0.0');
    await lab.host.sh(`sed -i 's/^pattern = .*/pattern = "daemon ([0-9.]+)"/' /etc/node-updater/nodes.d/demo.toml`);
    const { status, stderr } = await lab.updater('upgrade');
    expect(status, stderr).toBe(78);
    expect(stderr).toContain('Mend version.pattern in /etc/node-updater/nodes.d/demo.toml');
    const end = await lab.lastEnd();
    expect(end).toMatchObject({ outcome: 'unchanged', failure: { code: 'CONFIG_VERSION_PATTERN' } });
    expect(end).not.toHaveProperty('quarantine');
    expect(await lab.facts()).toEqual(runs('1.0.0'));
  });

  it('is told before anything is started when the unit’s user does not exist, and blames no version', async () => {
    lab = await makeLab();
    await lab.publish('1.0.0');
    await lab.configure({ soak: '1s' });
    await lab.host.sh(`sed -i 's/^user = .*/user = "nobody-here"/' /etc/node-updater/nodes.d/demo.toml`);
    const { status, stderr } = await lab.updater('upgrade');
    expect(status).toBe(78);
    expect(stderr).toContain('useradd --system --no-create-home nobody-here');
    expect(await lab.lastEnd()).not.toHaveProperty('quarantine');
    expect(await lab.facts()).toMatchObject({ current: '', active: 'inactive', leftovers: '' });
  });

  it('is refused when a rollback’s version directory is gone [P33]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.publish('2.0.0');
    await lab.updater('upgrade');
    await lab.host.sh('rm -r /opt/demo/versions/1.0.0');
    const { status, stderr } = await lab.updater('rollback');
    expect(status).toBe(1);
    expect(stderr).toContain('1.0.0 is not staged on this host');
    expect(await lab.facts()).toEqual(runs('2.0.0'));
  });
});

describe('old versions', () => {
  it('go after a commit, never what runs, the one before, or what a program still runs from; what is half removed is swept [S1.21][F114][P52]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    for (const version of ['2.0.0', '3.0.0', '4.0.0']) {
      await lab.publish(version);
      expect((await lab.updater('upgrade')).status).toBe(0);
    }
    const staged = () => lab.host.sh('ls -A /opt/demo/versions | grep -v -e complete -e files | xargs');
    expect(await staged()).toBe('2.0.0 3.0.0 4.0.0');
    await lab.host.sh('mkdir -p /opt/demo/versions/.removed-1/bin /opt/demo/versions/.staging-1');
    const dry = await lab.updater('prune', '--keep', '2', '--dry-run');
    expect(dry.stdout).toContain('demo would lose 2.0.0');
    expect((await lab.updater('prune', '--keep', '1')).status).toBe(2);
    await lab.host.sh(`cp /bin/sleep /opt/demo/versions/2.0.0/bin/left
systemd-run --quiet --unit=left /opt/demo/versions/2.0.0/bin/left infinity`);
    const kept = await lab.updater('prune', '--keep', '2');
    expect(kept.stdout).toContain('a program of it still runs');
    expect(await staged()).toBe('2.0.0 3.0.0 4.0.0');
    await lab.host.sh('systemctl stop left.service');
    const { status, stdout } = await lab.updater('prune', '--keep', '2');
    expect({ status, stdout }).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('Removed 2.0.0') as unknown,
    });
    expect(await staged()).toBe('3.0.0 4.0.0');
    expect((await lab.updater('rollback')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('3.0.0'));
  });
});

describe('systemd is the supervisor', () => {
  it('the node is systemd’s child, in its own journal, before and after an update [S1.5][S1.6][S1.34][S1.50][S3.56][S3.57]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.publish('2.0.0');
    await lab.updater('upgrade');
    const parent = await lab.host.sh('ps -o ppid= -p "$(systemctl show -P MainPID demo.service)"');
    expect(parent.trim()).toBe('1');
    await lab.host.sh('systemctl kill --signal=KILL demo.service');
    await lab.host.waitFor(
      '[ "$(systemctl show -P NRestarts demo.service)" = 1 ] && systemctl is-active --quiet demo.service',
    );
    expect(await lab.host.sh('systemctl show -P StandardOutput demo.service')).toBe('journal');
  });

  it('what an update did stands in the journal, found by MESSAGE_ID and by fields [S2.39]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.publish('2.0.0', 'crash 300');
    await lab.updater('upgrade');
    const found = await lab.host.journal('-o', 'json', 'NODE_UPDATER_OUTCOME=rolled-back');
    expect(JSON.parse(found.trim().split('\n').at(-1) ?? '{}')).toMatchObject({
      NODE_UPDATER_NODE: 'demo',
      NODE_UPDATER_FROM: '1.0.0',
      NODE_UPDATER_TO: '2.0.0',
      NODE_UPDATER_CODE: 'GATE_EXITED',
      MESSAGE_ID: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    });
    expect(await lab.host.journal('-u', 'node-updater@demo.service', '-o', 'cat')).toContain('was put back to 1.0.0');
  });

  it('nothing of ours runs between two checks, and no Node starts at boot with nothing open', async () => {
    lab = await makeInstalled({ soak: '1s' });
    const ours = `ps -eo args | grep -c '^/usr/lib/node-autoupdate/node .*main.mjs' || true`;
    // Who asked is told of the end a moment before the unit is through.
    await lab.host.waitFor(`[ "$(${ours})" = 0 ]`);
    await lab.host.reboot();
    expect(await lab.host.sh(ours)).toBe('0');
    for (const unit of ['node-updater@demo', 'node-updater-boot@demo', 'node-updater-revert@demo']) {
      expect(await lab.host.sh(`systemctl show -P ExecMainStartTimestampMonotonic ${unit}.service`)).toBe('0');
    }
    expect(await lab.host.sh('systemctl is-active node-updater.timer')).toBe('active');
  });

  it('nothing of ours listens on a port [S1.8][S2.3]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    const ports = await lab.host.sh(`ss -Htln | awk '{ print $4 }' | sort`);
    expect(ports.split('\n')).toEqual(['127.0.0.1:7000', '127.0.0.1:8080']);
  });

  it('a program can follow an update by asking for its status again and again [S3.42]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.configure({ soak: '3s' });
    await lab.publish('2.0.0');
    await lab.updater('upgrade', '--no-wait');
    const states = new Set<string>();
    for (let last = ''; last !== 'committed 2.0.0'; states.add(last)) {
      const { nodes } = JSON.parse((await lab.updater('status', '--json')).stdout) as Status;
      last = `${nodes[0]?.state ?? ''} ${nodes[0]?.current ?? ''}`;
    }
    expect([...states]).toContain('on-probation 2.0.0');
    const { nodes } = JSON.parse((await lab.updater('status', '--json')).stdout) as Status;
    expect(nodes[0]).toMatchObject({ node: 'demo', current: '2.0.0' });
  });

  it('a run with nothing open and nothing asked for changes nothing, nor does the fallback [P50]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    const before = await lab.ledger();
    await lab.host.sh('systemctl start node-updater@demo.service node-updater-revert@demo.service');
    expect(await lab.ledger()).toEqual(before);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
  });

  it('the version before stays on the disk after a commit, and after a rollback the one rolled back from [S1.21][P10]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    await lab.publish('2.0.0');
    await lab.updater('upgrade');
    await lab.updater('rollback');
    const versions = (await lab.host.sh('ls /opt/demo/versions')).split('\n');
    expect(versions).toEqual(['1.0.0', '2.0.0']);
    expect((await lab.updater('versions')).stdout).toMatch(/2\.0\.0.*quarantine/);
  });
});

describe('rooms', () => {
  it('the binary is asked for its version as the node’s user, with no capability and a limit in time [S3.59]', async () => {
    lab = await makeInstalled({ soak: '1s' });
    const property = (name: string) => lab.host.sh(`systemctl show -P ${name} node-updater-probe@demo.service`);
    expect(await property('User')).toBe('demo');
    expect(await property('CapabilityBoundingSet')).toBe('');
    expect(await property('IPAddressDeny')).toContain('0.0.0.0/0');
    // A candidate whose --version never ends is given up before anything is stopped.
    await lab.publish('2.0.0', 'mute');
    expect((await lab.updater('upgrade')).status).toBe(1);
    expect(await lab.lastEnd()).toMatchObject({ outcome: 'unchanged', failure: { code: 'GATE_BINARY' } });
    expect(await lab.facts()).toEqual(runs('1.0.0'));
    expect(await lab.host.sh('pgrep -u demo -f sleep || echo none')).toBe('none');
  });

  it('who may not act is told so, and looking needs no right', async () => {
    lab = await makeInstalled({ soak: '1s' });
    const status = await lab.host.run(['node-updater', 'status'], { user: 'nobody' });
    expect(status.status, status.stderr).toBe(0);
    expect(status.stdout).toContain('1.0.0');
    const upgrade = await lab.host.run(['node-updater', 'upgrade'], { user: 'nobody' });
    expect(upgrade.status).toBe(77);
    expect(upgrade.stderr).toContain('sudo node-updater upgrade');
  });
});
