import { describe, expect, it } from 'vitest';
import {
  EVENTS,
  OUTCOMES,
  WORKING,
  isWorking,
  type Event,
  type State,
  type Working,
} from '../../../src/machine/state.ts';
import { TRANSITIONS, begin, next } from '../../../src/machine/transitions.ts';
import type { Version } from '../../../src/release.ts';

const v = (text: string) => text as Version;

const FORWARD = ['forward', 'restoring', 'going-back'] as readonly Event[];

describe('the transition table', () => {
  it('leads from every working state to an outcome or to the fallback, never in a circle [S3.30]', () => {
    const walk = (state: State, path: readonly State[]): void => {
      if (!isWorking(state)) return;
      expect(path, `circle at ${state}`).not.toContain(state);
      const targets = Object.values(TRANSITIONS[state]);
      expect(targets.length, `${state} has no way out`).toBeGreaterThan(0);
      for (const target of targets) walk(target, [...path, state]);
    };
    for (const state of WORKING) walk(state, []);
  });

  it('ends unchanged when a step fails before the node is touched, and yields to systemd afterwards [S3.33]', () => {
    const untouched: Working[] = ['fetch', 'verify', 'stage', 'preflight'];
    const touched: Working[] = ['arm', 'stop', 'backup', 'activate', 'start', 'soak', 'commit'];
    expect(untouched.map((state) => next(state, 'failed'))).toEqual(untouched.map(() => 'unchanged'));
    expect(touched.map((state) => next(state, 'failed'))).toEqual(touched.map(() => 'yield'));
  });

  it('commits only after the soak held [S3.34]', () => {
    const intoCommit = WORKING.flatMap((state) =>
      EVENTS.filter((event) => next(state, event) === 'commit').map((event) => `${state} ${event}`),
    );
    expect(intoCommit).toEqual(['soak ok']);
  });

  it('knows no way from a settled transaction to a start of the candidate, unless there is no way back', () => {
    const reachable = new Set<State>();
    const walk = (state: State): void => {
      if (reachable.has(state)) return;
      reachable.add(state);
      if (!isWorking(state)) return;
      for (const event of EVENTS) if (!FORWARD.includes(event)) walk(next(state, event) ?? state);
    };
    walk('settle');
    for (const state of ['arm', 'activate', 'start', 'soak'] as const) expect(reachable.has(state)).toBe(false);
    expect(OUTCOMES.every((outcome) => reachable.has(outcome))).toBe(true);
    // What runs already soaks on; it is not switched to or started anew.
    expect(FORWARD.map((event) => next('settle', event))).toEqual(['resume', 'restore', 'go-back']);
  });

  it('answers undefined for an event that cannot happen in a state', () => {
    expect(next('fetch', 'put-back')).toBeUndefined();
  });

  it('begins a rollback with the preflight, since its version is staged already', () => {
    expect(begin({ id: '1', action: 'rollback', from: v('2'), to: v('1') })).toBe('preflight');
    expect(begin({ id: '1', action: 'install', to: v('1') })).toBe('fetch');
  });
});
