import { randomUUID } from 'node:crypto';
import { link, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { diskError, errnoOf, UpdaterError } from '../errors.ts';
import type { Clock, Log } from '../host/ports.ts';
import type { NodeLayout } from '../layout.ts';
import type { Request, RequestKind } from '../orders.ts';

/**
 * Leaves a request for the transaction unit. Whole and exclusive: it is written beside and linked into place, so that a
 * reader never sees half of one and a second asker gets HOST_LOCKED. Throws DISK_* when it cannot be left; then nothing of it stays.
 */
export async function leaveRequest(kind: RequestKind, layout: NodeLayout, clock: Clock): Promise<Request> {
  const request: Request = { schema: 1, id: randomUUID(), asked: clock.now(), bootId: clock.bootId, ...kind };
  const draft = `${layout.request}.${request.id}`;
  try {
    await writeFile(draft, JSON.stringify(request), { flag: 'wx', mode: 0o644 });
    await link(draft, layout.request);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw diskError(error, 'leave', layout.request);
    throw new UpdaterError('HOST_LOCKED', `Another request for this node is waiting: ${layout.request}`, {
      cause: error,
      remedy: 'Wait for it to be done; node-updater status shows it. Then type the command again.',
    });
  } finally {
    await rm(draft, { force: true });
  }
  return request;
}

/** Takes the request that waits, if one does. One of an earlier boot is dropped: its asker has long given up. */
export async function takeRequest(layout: NodeLayout, clock: Clock, log: Log): Promise<Request | undefined> {
  let text: string;
  try {
    text = await readFile(layout.request, 'utf8');
    await unlink(layout.request);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw diskError(error, 'take', layout.request);
  }
  const request = JSON.parse(text) as Request;
  if (request.bootId === clock.bootId) return request;
  log.warn(
    `Dropped a request of an earlier boot: ${request.kind}, asked for at ${new Date(request.asked).toISOString()}`,
  );
  return undefined;
}
