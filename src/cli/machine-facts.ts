import { readFile } from 'node:fs/promises';
import { UpdaterError } from '../errors.ts';
import type { Artifact } from '../manifest.ts';

/** Where this host's nodes have their place in a rollout from: machine-id(5). */
export async function readMachineId(): Promise<string> {
  let cause: unknown;
  try {
    const id = (await readFile('/etc/machine-id', 'utf8')).trim();
    if (/^[0-9a-f]{32}$/.test(id)) return id;
  } catch (error) {
    cause = error;
  }
  throw new UpdaterError('HOST_STATE', '/etc/machine-id holds no machine id', {
    ...(cause === undefined ? {} : { cause }),
    remedy: 'Make one: systemd-machine-id-setup. Without it this host has no place of its own in a rollout.',
  });
}

/** What Node calls an architecture, as manifests call it. */
export function archOf(arch: string): Artifact['arch'] {
  if (arch === 'x64') return 'amd64';
  if (arch === 'arm64') return 'arm64';
  throw new UpdaterError('HOST_STATE', `the architecture ${arch} is not known`, {
    remedy: 'node-updater runs on amd64 and arm64.',
  });
}
