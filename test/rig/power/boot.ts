/** The fallback at boot as systemd runs it: the very commands of node-updater-boot@.service, under its very conditions. */
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun } from '../container/process.ts';

const UNIT = join(import.meta.dirname, '../../../units/node-updater-boot@.service');

export type Boot = () => Promise<void>;

/** The node's /opt/NODE must be the disk's: the paths are the real ones. */
export async function fallbackAtBoot(node: string): Promise<Boot> {
  const lines = (await readFile(UNIT, 'utf8')).replaceAll('%i', node).split('\n');
  const valuesOf = (key: string): string[] =>
    lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1));
  const link = valuesOf('ConditionPathIsSymbolicLink')[0];
  const commands = valuesOf('ExecStart').map((line) => line.replace(/^-/, ''));
  if (link === undefined || commands.length === 0) throw new Error(`${UNIT} does not say what it does at boot`);
  return async () => {
    if (!(await isLink(link))) return;
    // All that these lines hold means the same to systemd and to sh.
    for (const command of commands) await mustRun(['sh', '-euc', command]);
  };
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
