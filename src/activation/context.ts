import type { NodeLayout } from '../layout.ts';
import type { Clock, Files, Heartbeat, Log, Run, SystemBus } from '../host/ports.ts';
import type { NodeSettings } from '../settings.ts';

/** What every step that changes the host is given. */
export interface ActivationContext {
  readonly layout: NodeLayout;
  readonly settings: NodeSettings;
  /** NODE.service */
  readonly unit: string;
  readonly files: Files;
  readonly clock: Clock;
  readonly bus: SystemBus;
  readonly run: Run;
  readonly log: Log;
  readonly heartbeat: Heartbeat;
}
