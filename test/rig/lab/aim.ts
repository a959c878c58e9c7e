/** Kills aimed at one moment of what systemd and the updater do for `demo`, instead of at a random one. */
import type { Container } from '../container/container.ts';

/** What node-updater-revert@ calls, in its commands and in their shells. */
const COMMANDS = ['systemctl', 'mkdir', 'touch', 'mv', 'sync', 'rm'];

/**
 * Stands before the real program in systemd's search path. Where it runs for revert@ and its turn has come, everything
 * of the unit is killed instead, or somebody else types something first.
 */
const wrapper = `#!/bin/sh
real=/usr/bin/\${0##*/}
[ -e /srv/aim ] && grep -q node-updater-revert@demo /proc/self/cgroup || exec $real "$@"
n=$(($(cat /srv/count) + 1))
echo $n >/srv/count
aim=$(cat /srv/aim)
[ "$n" = "$aim" ] || [ "\${0##*/} $*" = "$aim" ] || exec $real "$@"
rm /srv/aim
echo "\${0##*/} $*" >/srv/hit
[ -e /srv/act ] || { /usr/bin/systemctl kill --signal=KILL node-updater-revert@demo.service; exec sleep 60; }
. /srv/act
exec $real "$@"
`;

export interface RevertAim {
  /** The next run of revert@ dies just before this command, or its nth, counted from 1; those of its shells are included. */
  at(command: number | string): Promise<void>;
  /** The next run of revert@ goes on only when somebody has typed this, just before this command of it. */
  typedBefore(command: string, script: string): Promise<void>;
  /** The command that it was hit before; empty when it made fewer. */
  hit(): Promise<string>;
  /** How many commands the last run made, up to the one that it died before. */
  count(): Promise<number>;
  /** How long systemd waits before it tries revert@ again, as systemd writes it. */
  retryAfter(delay: string): Promise<void>;
}

/** Its retries come at once. */
export async function aimAtRevert(host: Container): Promise<RevertAim> {
  for (const command of COMMANDS) await host.push(Buffer.from(wrapper), `/usr/local/sbin/${command}`, 0o755);
  const retryAfter = async (delay: string): Promise<void> => {
    const dropIn = '/etc/systemd/system/node-updater-revert@.service.d/test.conf';
    await host.push(Buffer.from(`[Service]\nRestartSec=${delay}\n`), dropIn);
    await host.sh('systemctl daemon-reload');
  };
  await retryAfter('100ms');
  const at = async (command: number | string): Promise<void> => {
    await host.sh(`rm -f /srv/hit /srv/act; echo 0 >/srv/count; echo '${command}' >/srv/aim`);
  };
  return {
    retryAfter,
    at,
    async typedBefore(command, script) {
      await at(command);
      await host.push(Buffer.from(`${script}\n`), '/srv/act');
    },
    count: async () => Number(await host.sh('cat /srv/count')),
    hit: () => host.sh('cat /srv/hit 2>/dev/null || true'),
  };
}
