import type { Failure } from './state.ts';

/** Whether what stopped a drill is what was to stop it. Pure. */
export function passed(failure: Failure | undefined): boolean {
  return failure !== undefined && failure.code !== 'GATE_DRILL' && failure.code !== 'ACTIVATE_INTERRUPTED';
}
