import { describe, expect, it } from 'vitest';
import { notAtBoot, startAtBoot } from '../../../src/activation/boot-start.ts';
import type { ActivationContext } from '../../../src/activation/context.ts';
import { layoutAt } from '../../../src/layout.ts';
import type { NodeName } from '../../../src/release.ts';

function host(unitFileState: string) {
  const calls: string[] = [];
  const call = (name: string) => (what: unknown) => Promise.resolve(void calls.push(`${name} ${String(what)}`));
  const context = {
    unit: 'demo.service',
    layout: layoutAt('').node('demo' as NodeName),
    bus: {
      facts: () => Promise.resolve({ unitFileState }),
      enable: call('enable'),
      disable: call('disable'),
    },
    files: { syncFileSystem: call('flush') },
    heartbeat: { during: (work: Promise<unknown>) => work },
  } as unknown as ActivationContext;
  return { calls, context };
}

describe('whether a node starts at boot', () => {
  it('is on the disk before anything is recorded: systemd flushes none of its links [F073]', async () => {
    const { calls, context } = host('disabled');
    await startAtBoot(context);
    expect(calls).toEqual(['enable demo.service', 'flush /etc/systemd/system']);
  });

  it.each([
    { state: 'enabled', done: ['disable demo.service', 'flush /etc/systemd/system'] },
    { state: 'static', done: ['flush /etc/systemd/system'] },
  ])('is taken back of a unit that is $state, as far as it is ours', async ({ state, done }) => {
    const { calls, context } = host(state);
    await notAtBoot(context);
    expect(calls).toEqual(done);
  });
});
