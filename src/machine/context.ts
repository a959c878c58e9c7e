import type { ActivationContext } from '../activation/context.ts';
import type { Artifact } from '../manifest.ts';
import type { GlobalSettings } from '../settings.ts';
import type { BeingStopped } from './own-unit.ts';

/** What a run of the transaction unit is given by main.ts. */
export interface MachineContext extends ActivationContext {
  readonly global: GlobalSettings;
  /** /etc/machine-id: where this node's place in a rollout comes from. */
  readonly machineId: string;
  readonly arch: Artifact['arch'];
  /** Milliseconds since the epoch: when this program was built. No true time lies before it. */
  readonly buildTime: number;
  readonly beingStopped: BeingStopped;
}
