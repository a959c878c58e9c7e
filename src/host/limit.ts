import { dirname } from 'node:path';
import type { Notify } from './notify.ts';
import type { Files, Log } from './ports.ts';

interface LimitDeps {
  readonly files: Pick<Files, 'makeDirectory' | 'replace'>;
  /** Seconds since our unit was started. */
  readonly uptime: () => number;
  readonly log: Pick<Log, 'warn'>;
}

/**
 * A reload of systemd, ours or anybody's, forgets how much longer a unit has asked for (systemd issue 43000): TimeoutStartSec=
 * counts again, from the start of the unit, and a transaction or backup room that is older than that is killed on the spot. So each beat
 * leaves what it asks for in a drop-in too, counted from the start: systemd reads it at a reload, and then alone.
 *
 * Never rejects, as a `Notify`: what cannot be written is a warning.
 */
export function outlastingReloads(notify: Notify, dropIn: string, { files, uptime, log }: LimitDeps): Notify {
  return {
    ...notify,
    async heartbeat(ms) {
      try {
        await files.makeDirectory(dirname(dropIn), 0o755);
        await files.replace(dropIn, renderLimit(uptime() + ms / 1000), 0o644);
      } catch (error) {
        log.warn('A reload of systemd would end this unit: its limit cannot be written', {
          cause: String(error),
        });
      }
      await notify.heartbeat(ms);
    },
  };
}

function renderLimit(seconds: number): string {
  return `# What the heartbeat of this unit asked for last; goes with it.\n[Service]\nTimeoutStartSec=${Math.ceil(seconds)}s\n`;
}
