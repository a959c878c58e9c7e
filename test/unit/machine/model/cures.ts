/** Changes to the design that more than one line takes; holes.ts says what each is good for. */
import type { Effect } from './effect.ts';

/** An effect that stands `by` places further on in its step. */
export function moved(effect: Effect, by: number): Effect {
  const act: Effect['act'] = (w, about) => {
    const flow = effect.act(w, about);
    return typeof flow === 'object' && 'to' in flow ? { to: flow.to + by } : flow;
  };
  return { ...effect, act };
}
