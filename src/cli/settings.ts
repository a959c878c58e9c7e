/** Wires `node-updater config` to what it prints. */
import { loadSettings } from '../config/load.ts';
import type { CommandOf, Ended } from './command.ts';
import { checkConfig, showConfig } from './config.ts';
import type { Host } from './host.ts';
import type { Format } from './report-error.ts';

export function settings(command: CommandOf<'config'>, format: Format, host: Host): Ended {
  const loaded = loadSettings(host.layout, host.env, host.uid);
  if (command.view === 'check') return checkConfig(loaded, { format }, host.output.raw);
  const request = { format, ...(command.node === undefined ? {} : { node: command.node }) };
  return showConfig(loaded, request, host.output.raw, host.output.rawError);
}
