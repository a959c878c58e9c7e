import type { Clock, Files, Heartbeat, Log, Run } from '../host/ports.ts';
import type { NodeLayout } from '../layout.ts';
import type { NodeName } from '../release.ts';
import type { BackupSettings } from '../settings.ts';

/** What the work on a node's backups is given. */
export interface BackupContext {
  readonly node: NodeName;
  readonly layout: Pick<NodeLayout, 'restores'>;
  readonly settings: BackupSettings;
  readonly files: Files;
  readonly run: Run;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly log: Log;
  readonly heartbeat: Heartbeat;
}
