/** What may not be there: that is an answer, and every other error is thrown as the system gave it. */
import { lstat } from 'node:fs/promises';
import { errnoOf } from './errors.ts';

export async function ifThere<Found, Otherwise>(
  found: Promise<Found>,
  otherwise: Otherwise,
): Promise<Found | Otherwise> {
  try {
    return await found;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return otherwise;
    throw error;
  }
}

/** Whether anything has that name; a link that points to nothing has, too. */
export async function exists(path: string | Buffer): Promise<boolean> {
  return ifThere(
    lstat(path).then(() => true),
    false,
  );
}
