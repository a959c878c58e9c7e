/** A dbus-daemon of one test's own: its socket and configuration are in a temporary directory, and it dies with the test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface PrivateBus extends AsyncDisposable {
  readonly address: string;
  /** SIGKILL: the connections break as they do when the machine's own daemon crashes. */
  kill(): Promise<void>;
}

/** `limits` is XML for the daemon's configuration, such as `<limit name="max_connections_per_user">2</limit>`. */
export async function startBus(limits = ''): Promise<PrivateBus> {
  const directory = await mkdtemp(join(tmpdir(), 'bus-'));
  const address = `unix:path=${directory}/socket`;
  const file = join(directory, 'bus.conf');
  await writeFile(file, configuration(address, limits));
  // pdeathsig: a test runner that is killed leaves no daemon behind.
  const command = [
    '--pdeathsig',
    'KILL',
    'dbus-daemon',
    '--nofork',
    '--nopidfile',
    '--print-address',
    `--config-file=${file}`,
  ];
  const child = spawn('setpriv', command, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(child, 'exit');
  await Promise.race([
    once(child.stdout, 'data'),
    ended.then(() => Promise.reject(new Error('dbus-daemon did not start'))),
  ]);
  const kill = async () => {
    endNow(child);
    await ended;
  };
  return {
    address,
    kill,
    async [Symbol.asyncDispose]() {
      await kill();
      await rm(directory, { recursive: true });
    },
  };
}

function endNow(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}

/** As open as the system bus is to root; signals may come from anybody, replies only if they were asked for. */
function configuration(address: string, limits: string): string {
  return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>custom</type>
  <listen>${address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
  </policy>
  ${limits}
</busconfig>
`;
}
