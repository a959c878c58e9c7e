import { readFile } from 'node:fs/promises';
import { errnoOf } from '../errors.ts';

/** The text of a small mark or note; empty when it is not there. Rejects with the error of the system when it cannot be read. */
export async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}
