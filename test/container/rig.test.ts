import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { bootContainer } from '../rig/container/container.ts';

it('boots systemd to `running` with loopback up and no other network', async () => {
  await using host = await bootContainer();
  expect(await host.sh('systemctl is-system-running')).toBe('running');
  expect(await host.sh('ps -p 1 -o comm=')).toBe('systemd');
  expect(await host.sh('ls /sys/class/net; ip -brief address show lo')).toMatch(/^lo\nlo +UNKNOWN +127\.0\.0\.1\/8 /);
});

it('keeps disk and journal over a crash and a reboot, and ends every process', async () => {
  await using host = await bootContainer();
  await host.sh('echo kept >/opt/mark; logger "before the crash"; systemd-run --unit=lasting sleep 1000');
  await host.waitForJournal(/before the crash/);
  const boots = [await host.sh('cat /proc/sys/kernel/random/boot_id')];
  await host.crash();
  await expect(host.sh('true')).rejects.toThrow('is down');
  expect(await host.boot()).toBe('running');
  boots.push(await host.sh('cat /proc/sys/kernel/random/boot_id'));
  expect(await host.read('/opt/mark')).toBe('kept\n');
  expect(await host.journal('-b', '-1', '-t', 'root', '-o', 'cat')).toContain('before the crash');
  expect((await host.run(['systemctl', 'is-active', 'lasting'])).stdout).toBe('inactive\n');
  expect(await host.reboot()).toBe('running');
  boots.push(await host.sh('cat /proc/sys/kernel/random/boot_id'));
  expect(new Set(boots).size).toBe(3);
});

it('runs two containers at once that do not touch each other', async () => {
  const [one, two] = await Promise.all([bootContainer(), bootContainer({ storage: 'disk' })]);
  await using first = one;
  await using second = two;
  await second.sh('systemd-run --unit=other sleep 1000');
  await first.sh('touch /opt/only-here');
  await first.crash();
  expect(await second.sh('systemctl is-active other; ls -A /opt')).toBe('active');
  expect(await first.boot()).toBe('running');
  expect(await second.sh('systemctl is-active other')).toBe('active');
});

it('passes input, user, status and time-out of a command, and content and mode of a file', async () => {
  await using host = await bootContainer();
  expect(await host.run(['tr', 'a-z', 'A-Z'], { input: 'said' })).toEqual({ status: 0, stdout: 'SAID', stderr: '' });
  expect(await host.sh('id -un', { user: 'nobody' })).toBe('nobody');
  expect((await host.run(['sleep', '1000'], { timeout: 0.1 })).status).toBe(124);
  await expect(host.sh('echo why >&2; exit 3')).rejects.toThrow(/ended with 3:\nwhy/);
  await host.push(Buffer.from([0, 255, 10]), '/srv/deep/bytes', 0o4750);
  expect(await host.sh('stat -c %a /srv/deep/bytes; od -An -tx1 /srv/deep/bytes')).toBe('4750\n 00 ff 0a');
  await host.push(import.meta.filename, '/run/this');
  expect(await host.read('/run/this')).toContain('content and mode of a file');
});

it('waits for the journal and for conditions, and says what did not come', async () => {
  await using host = await bootContainer();
  const message = host.waitForJournal(/^ready: \d+$/);
  await host.sh('systemd-run --unit=late sh -c "touch /run/late; echo ready: 42"');
  expect(await message).toBe('ready: 42');
  await host.waitFor('test -e /run/late');
  await expect(host.waitFor('test -e /run/never', { timeout: 0.2 })).rejects.toThrow('test -e /run/never');
  await expect(host.waitForJournal(/never/, { timeout: 0.2 })).rejects.toThrow('/never/');
});

it('leaves no process, mount, control group or directory behind when the test is killed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rig-test-'));
  const script = `
    import { bootContainer } from ${JSON.stringify(join(import.meta.dirname, '../rig/container/container.ts'))};
    const host = await bootContainer();
    process.stdout.write(host.name + ' ' + (host.path('').split('/')[2]) + '\\n');
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], {
    env: { ...process.env, TMPDIR: directory },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const [name = '', keeper = ''] = line.split(' ');
  const groups = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/systemd'].map((at) => join(at, name));
  expect(groups.filter((group) => existsSync(group))).not.toEqual([]);
  child.kill('SIGKILL');
  await expect.poll(() => existsSync(`/proc/${keeper}`), { timeout: 30_000 }).toBe(false);
  expect(groups.filter((group) => existsSync(group))).toEqual([]);
  expect(await readdir(directory)).toEqual([]);
  await rm(directory, { recursive: true });
});
