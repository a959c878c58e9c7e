/** The xz program as a stream: Node's zlib has no xz. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { UpdaterError } from '../errors.ts';

/** Its own default; higher levels cost hosts memory. */
const LEVEL = 6;

const REMEDY = 'Give --level from 0 to 9, or --format tar.zst.';

/** One thread, since more of them cut the data elsewhere; without XZ_OPT and XZ_DEFAULTS, for the same reason. */
export function xzCompressor(level = LEVEL): { readonly stream: Duplex; readonly ended: Promise<void> } {
  // xz would read -10 as two levels.
  if (level > 9) throw new UpdaterError('RELEASE_INPUT', `xz has no level ${level}`, { remedy: REMEDY });
  const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' };
  const args = ['--compress', '--stdout', '--threads=1', '--check=crc64', `-${level}`];
  const child = spawn('xz', args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  const words: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => {
    words.push(chunk);
  });
  const ended = once(child, 'close').then(
    ([status]) => {
      if (status === 0) return;
      throw new UpdaterError('RELEASE_INPUT', `xz could not compress: ${Buffer.concat(words).toString().trim()}`, {
        remedy: REMEDY,
      });
    },
    (cause: unknown) => {
      throw new UpdaterError('HOST_TOOL', 'xz could not be run', {
        remedy: 'Install xz-utils, or give --format tar.zst.',
        cause,
      });
    },
  );
  return { stream: Duplex.from({ readable: child.stdout, writable: child.stdin }), ended };
}
