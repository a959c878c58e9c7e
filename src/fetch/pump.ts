/** Moves a body to disk: never more bytes than the limit, never slower than the settings allow. */
import { UpdaterError } from '../errors.ts';
import { appendPart, type Part } from './part.ts';
import { createSpeedMeter } from './speed.ts';
import { seconds, shown } from './wording.ts';
import type { Task } from './context.ts';
import type { Watch } from './exchange.ts';

/**
 * Appends the body that `read` gives to `part`.
 * @throws UpdaterError SOURCE_TOO_LARGE, SOURCE_SLOW, DISK_*; and what the body throws. The part then holds what came.
 */
export async function pump(
  read: (watch: Watch) => AsyncIterable<Buffer>,
  part: Part,
  task: Task,
  host: string,
): Promise<void> {
  for await (const batch of read(watchOver(part, task, host))) await appendPart(part, batch);
}

function watchOver(part: Part, task: Task, host: string): Watch {
  const meter = createSpeedMeter(task.settings);
  let room = task.file.limit - part.size;
  return (bytes, waited) => {
    room -= bytes;
    if (room < 0) return tooLarge(task, host);
    return meter.isTooSlow(bytes, waited) ? tooSlow(task, host) : undefined;
  };
}

export function tooLarge(task: Task, host: string): UpdaterError {
  const { name, limit } = task.file;
  return new UpdaterError(
    'SOURCE_TOO_LARGE',
    `${shown(host)} has more than ${String(limit)} bytes to give for ${name}.`,
    {
      remedy: 'The mirror is broken, hostile or a different version. The next one is asked; tell who runs it.',
    },
  );
}

function tooSlow(task: Task, host: string): UpdaterError {
  const { minimumSpeed, slowWindow } = task.settings;
  const speed = `${String(minimumSpeed)} bytes/s over ${seconds(slowWindow)}`;
  return new UpdaterError('SOURCE_SLOW', `${shown(host)} is slower than ${speed}.`, {
    remedy:
      'Add a faster mirror, or lower `minimum_speed` of the [fetch] section if this link is that slow. What has come is kept and resumed.',
  });
}
