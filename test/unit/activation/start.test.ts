import { expect, it } from 'vitest';
import type { ActivationContext } from '../../../src/activation/context.ts';
import { startNode } from '../../../src/activation/start.ts';
import type { SystemBus, UnitFacts } from '../../../src/host/ports.ts';

const NOW = 10n;

interface Seen {
  readonly activeState: string;
  readonly nRestarts: number;
  readonly started: bigint;
}

/** A unit that is seen so, one look after the other, and then stays as it was last; `asked` is what was asked of the bus. */
function contextOf(looks: readonly Seen[]): { readonly context: ActivationContext; readonly asked: string[] } {
  const asked: string[] = [];
  const left = [...looks];
  const facts = (): Promise<UnitFacts> => {
    const { activeState, nRestarts, started } = (left.length > 1 ? left.shift() : left[0]) as Seen;
    const service = { nRestarts, execMainStartMonotonic: started, restart: 'always', result: 'success' };
    const unit = { unit: 'demo.service', activeState, subState: 'running', job: 0, triggeredBy: [], service };
    return Promise.resolve(unit as unknown as UnitFacts);
  };
  const order = (what: string) => () => (asked.push(what), Promise.resolve('done' as const));
  const bus = { facts, tryRestart: order('tryRestart'), restart: order('restart') } as Partial<SystemBus> as SystemBus;
  const context = {
    bus,
    unit: 'demo.service',
    layout: { downMark: '/none' },
    settings: { gate: { startTimeout: 1000 } },
    files: { remove: () => Promise.resolve() },
    clock: { monotonic: () => NOW, wait: () => Promise.resolve() },
    heartbeat: { beat: () => undefined, during: <T>(waited: Promise<T>) => waited },
  };
  return { context: context as unknown as ActivationContext, asked };
}

it('tries the restart again, and no more than that, when the old version was just ending by itself', async () => {
  const { context, asked } = contextOf([
    { activeState: 'deactivating', nRestarts: 0, started: 1n },
    { activeState: 'active', nRestarts: 1, started: NOW },
    { activeState: 'active', nRestarts: 0, started: NOW },
  ]);
  expect(await startNode('running', context)).toEqual({ startedAfter: NOW, operatorStopped: false });
  expect(asked).toEqual(['tryRestart', 'tryRestart']);
});

it('asks once when the restart was carried out', async () => {
  const { context, asked } = contextOf([{ activeState: 'active', nRestarts: 0, started: NOW }]);
  await startNode('running', context);
  expect(asked).toEqual(['tryRestart']);
});

it('takes a node that is down on probation for stopped by its operator, whatever exited before [F086]', async () => {
  const { context } = contextOf([{ activeState: 'inactive', nRestarts: 1, started: 1n }]);
  expect((await startNode('running', context)).operatorStopped).toBe(true);
});
