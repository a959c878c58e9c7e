import { UpdaterError } from '../errors.ts';

/** What the publisher gave cannot become a release. `path` is shown escaped: names in a tree can hold anything. */
export function refusePath(path: string, why: string, remedy: string, cause?: unknown): UpdaterError {
  return new UpdaterError('RELEASE_INPUT', `${JSON.stringify(path)}: ${why}`, { remedy, cause });
}

/** What is already published, or was asked for, forbids the publication. */
export function refusePublication(message: string, remedy: string, cause?: unknown): UpdaterError {
  return new UpdaterError('RELEASE_REFUSED', message, { remedy, cause });
}
