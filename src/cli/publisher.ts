import type { ExitCode } from '../errors.ts';
import type { Host } from './host.ts';
import { runRelease } from './release.ts';

/** `node-updater release …`: reads its own arguments. */
export async function publisher(host: Host): Promise<ExitCode> {
  const files = await host.files();
  return runRelease(host.argv.slice(1), {
    output: host.output,
    files,
    run: host.run,
    now: () => host.clock().now(),
    env: host.env,
  });
}
