import { once } from 'node:events';
import { busContract, type ContractHost } from '../bus/contract.ts';
import { bootContainer } from '../rig/container/container.ts';

/** The units that the contract asks for, as real ones. */
const units: Readonly<Record<string, string>> = {
  'good.service': '[Service]\nExecStart=/bin/sleep 1000\n',
  'fails.service': '[Service]\nType=oneshot\nExecStart=/bin/false\n',
  'times-out.service': '[Unit]\nJobTimeoutSec=200ms\n[Service]\nType=oneshot\nExecStart=/bin/sleep 1000\n',
  'depends.service': '[Unit]\nRequires=fails.service\nAfter=fails.service\n[Service]\nExecStart=/bin/sleep 1000\n',
  'skips.service': '[Service]\nExecCondition=/bin/false\nExecStart=/bin/sleep 1000\n',
  'asserts.service': '[Unit]\nAssertPathExists=/nonexistent\n[Service]\nExecStart=/bin/sleep 1000\n',
  'lingers.service': '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c "exec cat /run/lingers"\n',
  'crashes.service':
    '[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=100ms\n',
  'sulks.service': `[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'trap "exit 3" TERM; systemd-notify --ready; while :; do sleep 0.1; done'\n`,
  'masked.service': '',
  'installable.service': '[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n',
};

busContract('a booted container', async (): Promise<ContractHost> => {
  const host = await bootContainer();
  for (const [name, text] of Object.entries(units)) {
    const path = `/etc/systemd/system/${name}`;
    if (text === '') await host.sh(`ln -s /dev/null ${path}`);
    else await host.push(Buffer.from(text), path);
  }
  await host.sh('mkfifo /run/lingers; systemctl daemon-reload');
  // The container's /run is its own; a process of ours inside lends us its view of it.
  const inside = host.start(['sh', '-c', 'echo here; exec sleep infinity']);
  await once(inside.stdout ?? inside, 'data');
  return {
    address: `unix:path=/proc/${inside.pid ?? 0}/root/run/dbus/system_bus_socket`,
    async lingersDone() {
      await host.sh('echo done >/run/lingers');
    },
    async editUnitFile(unit) {
      await host.sh(`echo '# edited' >>/etc/systemd/system/${unit}; touch -d '+1 minute' /etc/systemd/system/${unit}`);
    },
    async reexec() {
      await host.sh('systemctl daemon-reexec');
    },
    async killBusDaemon() {
      await host.sh('kill -9 "$(systemctl show -P MainPID dbus.service)"');
    },
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
});
