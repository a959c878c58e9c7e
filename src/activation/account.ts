import { UpdaterError } from '../errors.ts';
import type { Run } from '../host/ports.ts';
import type { UnitSettings } from '../settings.ts';

/**
 * That the user and group of a generated unit exist. Without them systemd cannot start the node (217/USER), and the gate
 * would blame the version for it.
 */
export async function checkAccount(unit: UnitSettings, file: string, run: Run): Promise<void> {
  await mustExist('passwd', unit.user, 'unit.user', `useradd --system --no-create-home ${unit.user}`, file, run);
  if (unit.group !== undefined) {
    await mustExist('group', unit.group, 'unit.group', `groupadd --system ${unit.group}`, file, run);
  }
}

async function mustExist(
  database: 'passwd' | 'group',
  name: string,
  key: string,
  remedy: string,
  file: string,
  run: Run,
): Promise<void> {
  const { status } = await run(['getent', database, name], { timeout: 30_000 });
  if (status === 0) return;
  throw new UpdaterError('CONFIG_INVALID', `${file}: ${key} is ${name}, and there is no such account on this host`, {
    remedy: `Make it: ${remedy}. Or name another one.`,
  });
}
