/** Changes to the design that more than one line takes; holes.ts says what each is good for. */
import type { Design } from './design.ts';
import type { Effect } from './effect.ts';
import type { Part } from './fallback.ts';
import { orderRestart, orderTryRestart } from './node.ts';

/** The restart is asked for in any case; what was seen tells only whether a node that is down may be started. */
export function markBoth(part: Part): Part {
  return {
    ...part,
    act: (w) => {
      w.restart = true;
      return part.act(w);
    },
  };
}

export function ask(part: Part): Part {
  return {
    ...part,
    act: (w) => {
      if (w.down === '') orderTryRestart(w, 'us');
      else orderRestart(w, 'us');
      return 'line';
    },
  };
}

/** The restart before the drop-in goes. */
export function inOrder(design: Design): Design {
  const at = (number: number) => design.revert.slice(number, number + 1);
  return { ...design, revert: [0, 1, 2, 3, 7, 4, 5, 6, 8].flatMap(at) };
}

/** An effect that stands `by` places further on in its step. */
export function moved(effect: Effect, by: number): Effect {
  const act: Effect['act'] = (w, about) => {
    const flow = effect.act(w, about);
    return typeof flow === 'object' && 'to' in flow ? { to: flow.to + by } : flow;
  };
  return { ...effect, act };
}
