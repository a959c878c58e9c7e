import { UpdaterError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

/** What the publisher gave cannot become a release. `path` is shown escaped: names in a tree can hold anything. */
export function refusePath(path: string, why: string, remedy: string, cause?: unknown): UpdaterError {
  return new UpdaterError('RELEASE_INPUT', `${JSON.stringify(path)}: ${why}`, { remedy, cause });
}

type ReleaseCode = Extract<ErrorCode, `RELEASE_${string}`>;

/** What is already published, or was asked for, forbids the publication. */
export function refusePublication(message: string, remedy: string, cause?: unknown): UpdaterError {
  return refuse('RELEASE_REFUSED', message, remedy, cause);
}

export function refuse(code: ReleaseCode, message: string, remedy: string, cause?: unknown): UpdaterError {
  return new UpdaterError(code, message, { remedy, cause });
}
