/** Archives and their signatures go into the published directory before the manifest that names them. */
import { randomBytes } from 'node:crypto';
import { constants, copyFile, open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { diskError } from '../errors.ts';
import type { Files, Run } from '../host/ports.ts';
import type { Digest } from '../release.ts';
import type { Offer } from './offer.ts';
import { refusePublication } from './refuse.ts';
import { lockingSite } from './site-lock.ts';
import { hold } from './site-sweep.ts';
import { fileFacts, isPlaced } from './site.ts';

interface PlaceDeps {
  readonly files: Files;
  readonly run: Run;
}

/** Immutable names come first: until the manifest changes nobody asks for them. */
export async function placeOffers(directory: string, offers: readonly Offer[], deps: PlaceDeps): Promise<void> {
  if (offers.length > 0) await deps.files.makeDirectory(directory, 0o755);
  for (const { archive, description, place, signature, signaturePlace } of offers) {
    await placeArchive(archive, directory, { place, sha256: description.sha256 }, deps);
    await lockingSite(directory, deps.run, () =>
      deps.files.replace(`${directory}/${signaturePlace}`, signature, 0o644),
    );
  }
}

/**
 * Copies an archive into the directory, whole and flushed before it has its name. Does nothing when it is there. Large ones take
 * their time, so it is done without the lock of the site: what is written is held by a lock of its own.
 */
async function placeArchive(
  from: string,
  directory: string,
  { place, sha256 }: { readonly place: string; readonly sha256: Digest },
  { files, run }: PlaceDeps,
): Promise<void> {
  if (await isPlaced(directory, place, sha256)) return;
  const to = `${directory}/${place}`;
  await files.makeDirectory(to.slice(0, to.lastIndexOf('/')), 0o755);
  const temporary = `${to}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    // Under the lock of the site, or it could be swept between its first moment and its own lock.
    await using file = await lockingSite(directory, run, () => begin(temporary, run));
    await copyFile(from, temporary, constants.COPYFILE_FICLONE);
    if ((await fileFacts(temporary))?.sha256 !== sha256) {
      throw refusePublication(
        `${from} changed while it was published`,
        'Publish from a directory that nobody writes to.',
      );
    }
    await file.chmod(0o644);
    await file.sync();
    await files.rename(temporary, to);
  } catch (error) {
    throw diskError(error, 'write', to);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function begin(path: string, run: Run): Promise<FileHandle> {
  const file = await open(path, 'wx');
  await hold(file, run);
  return file;
}
