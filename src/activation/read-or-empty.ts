import { readFile } from 'node:fs/promises';
import { ifThere } from '../if-there.ts';

/** The text of a small mark or note; empty when it is not there. Rejects with the error of the system when it cannot be read. */
export async function readOrEmpty(path: string): Promise<string> {
  return ifThere(readFile(path, 'utf8'), '');
}
