import type { Baseline } from '../activation/gate.ts';
import type { Before } from '../activation/start.ts';

/** What one step learns and a later one needs; a transaction whose process died goes by its ledger instead. */
export interface Progress {
  baseline: Baseline;
  /** `resting`: its operator stopped the node before all this, and it stays so. */
  before: Before | 'resting';
  backup?: string;
}
