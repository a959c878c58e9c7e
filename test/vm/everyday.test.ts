/**
 * What of the machine is shown with every change: one power cut, where it hurts most. The machine is prepared in a minute or
 * so, and the rest takes no longer; `npm run test:vm` makes many, and goes on after them.
 */
import { describe, expect, it } from 'vitest';
import { cutAt } from '../rig/vm/cut.ts';
import { ledgerOf } from '../rig/vm/scene.ts';
import { makeVm } from '../rig/vm/vm.ts';

// The machines of the rig are amd64 alone.
describe.runIf(process.arch === 'x64')('a machine whose power is cut while a new version is on probation', () => {
  it('boots with the committed version up, all files whole, without a person [F079][S1.20]', async () => {
    await using vm = await makeVm();
    await vm.resume();
    const known = (await ledgerOf(vm)).length;
    const nothing = () => Promise.resolve([]);
    const { hit, problems } = await cutAt({ offer: 'good', at: 'intent soak', then: 0 }, vm, known, undefined, nothing);
    expect(problems).toEqual([]);
    // The very record that was waited for may be lost: its step has not acted yet.
    expect(hit).toMatch(/^(result start|intent soak), boots 1\.0\.0$/);
  });
});
