import type { ExitCode } from '../errors.ts';
import type { Host } from './host.ts';
import { runRelease } from './release.ts';

/** `node-updater release …`: reads its own arguments. */
export async function publisher(host: Host): Promise<ExitCode> {
  const files = await host.files();
  const clock = host.clock();
  return runRelease(host.argv.slice(1), {
    output: host.output,
    files,
    run: host.run,
    now: () => clock.now(),
    env: host.env,
    web: { clock, log: () => host.log('warn'), signal: () => host.onSignal('SIGINT'), version: host.version },
  });
}
