/** Why an archive is refused. Its publisher signed it, so the remedy is the publisher's, or an older release. */
import { UpdaterError } from '../errors.ts';

const REPORT = 'The node stays on its version. Tell the publisher of this release.';

/** Breaks a rule that keeps the host safe. */
export function unsafe(message: string, advice = ''): UpdaterError {
  return new UpdaterError('ARTIFACT_UNSAFE', `the archive is unsafe: ${message}`, { remedy: joined(advice) });
}

/** Is not a well-formed archive, or one that two readers would read differently. */
export function malformed(message: string, cause?: unknown): UpdaterError {
  return new UpdaterError('ARTIFACT_MALFORMED', `the archive is malformed: ${message}`, { remedy: REPORT, cause });
}

/** Uses a format or feature that is not read here. `advice` tells the publisher what to type. */
export function unsupported(message: string, advice: string): UpdaterError {
  return new UpdaterError('ARTIFACT_UNSUPPORTED', `the archive is not supported: ${message}`, {
    remedy: joined(advice),
  });
}

/** Holds more or less than its publisher signed. */
export function miscounted(message: string): UpdaterError {
  return new UpdaterError('ARTIFACT_COUNTS', `the archive is not what the manifest says: ${message}`, {
    remedy: REPORT,
  });
}

/** A name from the archive, fit for one line of a log. */
export function quoted(name: string): string {
  const short = name.length > 200 ? `${name.slice(0, 200)}…` : name;
  return JSON.stringify(short).replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, escapeUnit);
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function joined(advice: string): string {
  return advice === '' ? REPORT : `${REPORT} ${advice}`;
}
