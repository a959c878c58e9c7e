import { startBus } from '../rig/bus/daemon.ts';
import { startSystemd1, type Systemd1 } from '../rig/bus/systemd1.ts';
import { fakeUnit, type StartEnd } from '../rig/bus/units.ts';
import { busContract, type ContractHost } from './contract.ts';

const ends: Readonly<Record<string, StartEnd>> = {
  'good.service': 'done',
  'fails.service': 'failed',
  'times-out.service': 'timeout',
  'depends.service': 'dependency',
  'skips.service': 'skips',
  'asserts.service': 'assert',
  'lingers.service': 'lingers',
  'crashes.service': 'crashes',
  'sulks.service': 'sulks',
};

busContract('a private bus', async (): Promise<ContractHost> => {
  const daemon = await startBus();
  const systemd = await startSystemd1(daemon.address);
  furnish(systemd);
  return {
    address: daemon.address,
    lingersDone: () => {
      systemd.finish('lingers.service');
      return Promise.resolve();
    },
    editUnitFile: (unit) => {
      systemd.units.set(unit, fakeUnit(unit, { ...systemd.units.get(unit), needReload: true }));
      return Promise.resolve();
    },
    reexec: () => systemd.reexec(),
    killBusDaemon: () => daemon.kill(),
    async [Symbol.asyncDispose]() {
      await systemd[Symbol.asyncDispose]();
      await daemon[Symbol.asyncDispose]();
    },
  };
});

function furnish({ units }: Systemd1): void {
  for (const [name, startEnd] of Object.entries(ends)) units.set(name, fakeUnit(name, { startEnd }));
  units.set('masked.service', fakeUnit('masked.service', { load: 'masked', file: 'masked' }));
  units.set('installable.service', fakeUnit('installable.service', { file: 'disabled' }));
}
