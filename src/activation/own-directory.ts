/** Threat: a directory of ours that another user can write. Whoever renames what is in it decides what runs as the node. */
import { stat } from 'node:fs/promises';
import { diskError, UpdaterError } from '../errors.ts';

const WRITABLE_BY_OTHERS = 0o022;

/** Throws HOST_STATE unless `path` is a directory of our own user that nobody else can write. */
export async function checkOwnDirectory(path: string): Promise<void> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw diskError(cause, 'look at', path);
  });
  const ours = stats.uid === process.geteuid?.();
  if (stats.isDirectory() && ours && (stats.mode & WRITABLE_BY_OTHERS) === 0) return;
  throw new UpdaterError('HOST_STATE', `${path} is not a directory that only root can write`, {
    remedy: `See who can write there, and whether what is in it is still what was staged: ls -la ${path}. Then: chown root: ${path}; chmod go-w ${path}`,
  });
}
