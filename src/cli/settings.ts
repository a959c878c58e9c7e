/** Wires `node-updater config` to what it prints. */
import { loadSettings } from '../config/load.ts';
import type { CommandOf, Ended } from './command.ts';
import { checkConfig, showConfig } from './config.ts';
import type { Host } from './host.ts';
import type { Format } from './report-error.ts';

export async function settings(command: CommandOf<'config'>, format: Format, host: Host): Promise<Ended> {
  const loaded = loadSettings(host.layout, host.env, host.uid);
  const request = { format, ...(command.node === undefined ? {} : { node: command.node }) };
  if (command.view === 'check') {
    const { namedFiles } = await import('./named-files.ts');
    const problems = [...loaded.problems, ...(await namedFiles(loaded))];
    return checkConfig({ ...loaded, problems }, request, host.output.raw);
  }
  return showConfig(loaded, request, host.output.raw, host.output.rawError);
}
