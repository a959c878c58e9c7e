/** The process's own edges: its signals and its standard streams. */
import { fstatSync } from 'node:fs';
import { errnoOf } from '../errors.ts';

/** From now on the signal aborts what is returned instead of ending the process; a second one ends it after all. */
export function abortOn(name: 'SIGINT' | 'SIGTERM'): AbortSignal {
  const controller = new AbortController();
  process.once(name, () => {
    controller.abort();
  });
  return controller.signal;
}

/** `history | head`: who reads no further is no error of ours. */
export function endQuietlyWithReader(stream: NodeJS.WriteStream): void {
  stream.on('error', (error) => {
    if (errnoOf(error) !== 'EPIPE') throw error;
  });
}

/** Whether the descriptor is the journal's stream; the variable alone is inherited by what writes elsewhere. systemd.exec(5). */
export function goesToJournal(descriptor: number, env: Readonly<Record<string, string | undefined>>): boolean {
  const [device, inode] = (env['JOURNAL_STREAM'] ?? '').split(':');
  if (device === undefined || inode === undefined) return false;
  const { dev, ino } = fstatSync(descriptor, { bigint: true });
  return String(dev) === device && String(ino) === inode;
}
