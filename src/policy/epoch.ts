/** Data formats: which version may meet the data of which other (promise 6). Pure. */
import type { DataFormat } from '../manifest.ts';

/**
 * Why the step between two versions may not be taken without a person: `forward` if what follows could not be undone,
 * `back` if the older version would meet data that it does not understand. Undefined when the data stays as it is, when the
 * newer release says that the older one understands its data, or when a format is not known.
 */
export function crossing(from: DataFormat | undefined, to: DataFormat | undefined): 'forward' | 'back' | undefined {
  if (from === undefined || to === undefined) return undefined;
  if (to.epoch > from.epoch && to.rollback !== 'safe') return 'forward';
  if (to.epoch < from.epoch && from.rollback !== 'safe') return 'back';
  return undefined;
}
