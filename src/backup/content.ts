/** The SHA-256 of every file of a backup: made once the node runs again, so that it costs no downtime. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { readListing, sha256OfFile, type Difference } from './listing.ts';
import { below, textOf, type Raw } from './paths.ts';

/** Writes `digests` (new, 0600) for the files of a listing that lie below `root`; the SHA-256 of what was written. */
export async function writeDigests(listing: string, root: Raw, digests: string, beat: () => void): Promise<string> {
  await using file = await open(digests, 'w', 0o600);
  const hash = createHash('sha256');
  for await (const { path, type, sameAs } of readListing(listing)) {
    if (type !== 'file' || sameAs !== '') continue;
    const line = `${JSON.stringify([path, await sha256OfFile(below(root, path), beat)])}\n`;
    hash.update(line);
    await file.appendFile(line);
  }
  await file.sync();
  return hash.digest('hex');
}

/** The first file below `root` whose content is not what `digests` says; those that `left` says are not there. */
export async function firstDamage(
  digests: string,
  root: Raw,
  left: (path: Raw) => boolean,
  beat: () => void,
): Promise<Difference | undefined> {
  await using file = await open(digests, 'r');
  for await (const text of file.readLines({ autoClose: false })) {
    const [path, wanted] = JSON.parse(text) as readonly [Raw, string];
    if (left(path)) continue;
    if ((await sha256OfFile(below(root, path), beat)) !== wanted) {
      return { path: textOf(path), what: 'has another content' };
    }
  }
  return undefined;
}
