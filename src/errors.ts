/**
 * Every failure that reaches a person: one class, a literal code, the cause kept, a remedy that can be followed.
 *
 * The table is the single place that says how a code ends a process (DESIGN.md section 9) and under which MESSAGE_ID the
 * journal carries it. A MESSAGE_ID is never reused, not even after its code is gone.
 */

/** Exit codes of every command; the benign ones stand in SuccessExitStatus= of our units. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  rolledBack: 3,
  rollbackFailed: 4,
  refused: 5,
  offered: 100,
  tryLater: 75,
  notPermitted: 77,
  configuration: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

interface CodeFacts {
  /** How a command ends when this code is what stopped it. */
  readonly exit: ExitCode;
  /** MESSAGE_ID in the journal: 32 lower-case hex digits. */
  readonly messageId: string;
}

export const CODES = {
  // CONFIG_: what the operator wrote. Never retried.
  CONFIG_SYNTAX: { exit: EXIT.configuration, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d01' },
  CONFIG_INVALID: { exit: EXIT.configuration, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d02' },
  CONFIG_UNSAFE_FILE: { exit: EXIT.configuration, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d03' },
  CONFIG_UNKNOWN_NODE: { exit: EXIT.configuration, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d04' },
  /** The pattern for the version does not fit what the program prints: nothing is known about the version. */
  CONFIG_VERSION_PATTERN: { exit: EXIT.configuration, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d07' },
  // USAGE_: what was typed.
  USAGE_INVALID: { exit: EXIT.usage, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d05' },
  /** A path that was typed is not there, or is something else. */
  USAGE_PATH: { exit: EXIT.usage, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d08' },
  USAGE_NOT_PERMITTED: { exit: EXIT.notPermitted, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d06' },
  // SOURCE_: the network and the servers. Tried again at the next run; never quarantines (promise 9).
  SOURCE_UNREACHABLE: { exit: EXIT.tryLater, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d10' },
  SOURCE_TLS: { exit: EXIT.tryLater, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d11' },
  SOURCE_HTTP_STATUS: { exit: EXIT.tryLater, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d12' },
  SOURCE_REDIRECT: { exit: EXIT.tryLater, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d13' },
  SOURCE_SLOW: { exit: EXIT.tryLater, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d14' },
  SOURCE_TOO_LARGE: { exit: EXIT.tryLater, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d15' },
  SOURCE_PROTOCOL: { exit: EXIT.tryLater, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d16' },
  SOURCE_FETCH_DIED: { exit: EXIT.tryLater, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d17' },
  // TRUST_: the bytes are not what a trusted publisher signed. Discarded, said loudly, tried again at the next run.
  TRUST_NO_KEYS: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d20' },
  TRUST_KEY_FILE: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d21' },
  TRUST_ENVELOPE: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d22' },
  TRUST_STRUCTURE: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d23' },
  TRUST_THRESHOLD: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d24' },
  TRUST_VERIFIER: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d25' },
  TRUST_MANIFEST: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d26' },
  TRUST_NEWER_SCHEMA: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d27' },
  TRUST_WRONG_PRODUCT: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d28' },
  TRUST_SERIAL: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d29' },
  TRUST_EXPIRED: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d2a' },
  TRUST_CLOCK: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d2b' },
  TRUST_SIZE: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d2c' },
  TRUST_DIGEST: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d2d' },
  TRUST_SPOOL: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d2e' },
  /** The text of a key set states what no set may. */
  TRUST_KEY_SET: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d2f' },
  // What is wrong with signatures of which none counts; where some count, but too few, it is TRUST_THRESHOLD.
  TRUST_BAD_SIGNATURE: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1da0' },
  TRUST_SIGNATURE_EXPIRED: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1da1' },
  /** Made in the future, or before the key that made it. */
  TRUST_SIGNATURE_TIME: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1da2' },
  TRUST_KEY_EXPIRED: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1da3' },
  TRUST_KEY_REVOKED: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1da4' },
  /** The key may not sign, or does not say so in a way that counts. */
  TRUST_KEY_UNUSABLE: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1da5' },
  TRUST_WEAK_KEY: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1da6' },
  TRUST_WEAK_HASH: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1da7' },
  /** Two manifests under one serial. */
  TRUST_EQUIVOCATION: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1da8' },
  /** A serial that would leave the publisher no higher one. */
  TRUST_SERIAL_JUMP: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1da9' },
  /** A key set that does not follow from the one before. */
  TRUST_KEY_CHAIN: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1daa' },
  /** The newest key set is out of date, so nothing that its keys sign counts. */
  TRUST_KEYS_EXPIRED: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1dab' },
  /** A warning: a key, a key set or a manifest goes out of date soon. */
  TRUST_EXPIRES_SOON: { exit: EXIT.done, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1dac' },
  /** A change to the trusted keys that would leave too few of them. */
  TRUST_TOO_FEW_KEYS: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1dad' },
  // ARTIFACT_: a correctly signed archive that must not be unpacked, or does not hold what it should.
  ARTIFACT_UNSAFE: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d30' },
  ARTIFACT_MALFORMED: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d31' },
  ARTIFACT_COUNTS: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d32' },
  ARTIFACT_UNSUPPORTED: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d33' },
  ARTIFACT_ENTRY_POINT: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d34' },
  // DISK_: this host's storage. Tried again at the next run; never quarantines.
  DISK_FULL: { exit: EXIT.tryLater, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d40' },
  DISK_READ_ONLY: { exit: EXIT.tryLater, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d41' },
  /** Programs may not be run where the versions are: nothing passes by itself here. */
  DISK_NOEXEC: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d43' },
  DISK_IO: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d42' },
  // HOST_: systemd, the bus, the lock, the ledger.
  HOST_BUS: { exit: EXIT.tryLater, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d50' },
  HOST_LOCKED: { exit: EXIT.tryLater, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d51' },
  HOST_UNIT: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d52' },
  HOST_LEDGER: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d53' },
  HOST_STATE: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d54' },
  HOST_NODE_STOPPED: { exit: EXIT.done, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d55' },
  /** What the node needs mounted is not. */
  HOST_MOUNT: { exit: EXIT.tryLater, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d58' },
  HOST_TOOL: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d56' },
  /** The files of a staged version are not what was staged. */
  HOST_DAMAGED: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d59' },
  HOST_PROBE_ROOM: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d57' },
  // POLICY_: asked for, and refused by a rule.
  POLICY_NO_TARGET: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d60' },
  POLICY_QUARANTINED: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d61' },
  POLICY_NODE_STOPPED: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d62' },
  /** The version would meet data of another format. */
  POLICY_EPOCH: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d63' },
  /** A warning: the version that runs was withdrawn by its publisher. */
  POLICY_WITHDRAWN: { exit: EXIT.done, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d64' },
  // GATE_ and ACTIVATE_: this version on this host. The only evidence that quarantines.
  ACTIVATE_STOP: { exit: EXIT.rolledBack, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d70' },
  ACTIVATE_START: { exit: EXIT.rolledBack, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d71' },
  ACTIVATE_INTERRUPTED: { exit: EXIT.rolledBack, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d72' },
  GATE_EXITED: { exit: EXIT.rolledBack, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d73' },
  GATE_NOT_READY: { exit: EXIT.rolledBack, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d74' },
  GATE_PROBE: { exit: EXIT.rolledBack, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d75' },
  GATE_VERSION: { exit: EXIT.rolledBack, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d76' },
  /** The binary cannot be run, does not end, or ends with an error when it is asked for its version. */
  GATE_BINARY: { exit: EXIT.rolledBack, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d78' },
  /** A version that was made to fail was not found out. */
  GATE_DRILL: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d7b' },
  /** The version before was sick already; says nothing about the candidate. */
  GATE_BASELINE: { exit: EXIT.tryLater, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d7a' },
  GATE_OLD: { exit: EXIT.rollbackFailed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d77' },
  /** systemd cannot put the version before back. */
  ACTIVATE_REVERT: { exit: EXIT.rollbackFailed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d79' },
  // BACKUP_: the node's data. Each says whether the data was touched.
  /** What is configured cannot be backed up, or not in the way that was asked for. */
  BACKUP_REFUSED: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d90' },
  BACKUP_CHANGED: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d91' },
  BACKUP_UNKNOWN: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d92' },
  BACKUP_DAMAGED: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d93' },
  /** A restore would make a validator forget what it signed. */
  BACKUP_SIGNING: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d94' },
  /** Between the renames of a restore: the node stays down until they are finished. */
  BACKUP_RESTORE: { exit: EXIT.rollbackFailed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d95' },
  BACKUP_ROOM: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d96' },
  // RELEASE_: the publisher's side.
  RELEASE_INPUT: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d80' },
  RELEASE_GPG: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d81' },
  RELEASE_REFUSED: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d82' },
  /** The serial does not rise as hosts ask for. */
  RELEASE_SERIAL: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d83' },
  RELEASE_EXPIRED: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d84' },
  /** Believed for so long that its expiry would protect nobody. */
  RELEASE_EXPIRES_LATE: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d8b' },
  /** What is suggested lacks a platform that the suggestion before had. */
  RELEASE_ARCHITECTURES: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d85' },
  /** Other bytes, or another data format, under a version that is published. */
  RELEASE_CHANGED: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d86' },
  /** Too few of the keys that hosts trust have signed. */
  RELEASE_THRESHOLD: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d87' },
  /** A key set that hosts could not walk to. */
  RELEASE_KEY_SET: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d88' },
  /** A signing request that is none, that says what its text does not, or that came too late. */
  RELEASE_REQUEST: { exit: EXIT.refused, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d89' },
  /** The directory is published here, but the copy on the server is not. */
  RELEASE_UPLOAD: { exit: EXIT.tryLater, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d8a' },
  // Ours.
  INTERNAL: { exit: EXIT.failed, messageId: 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1dff' },
} as const satisfies Record<string, CodeFacts>;

export type ErrorCode = keyof typeof CODES;

export interface ErrorDetails {
  /** What the operator can do or type next; whole sentences. */
  readonly remedy: string;
  readonly cause?: unknown;
}

export class UpdaterError extends Error {
  override readonly name = 'UpdaterError';
  readonly code: ErrorCode;
  readonly remedy: string;

  constructor(code: ErrorCode, message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.remedy = details.remedy;
  }

  get exit(): ExitCode {
    return CODES[this.code].exit;
  }
}

/** What the causes of an error have to say that its message does not say already: the first of them that adds something. */
export function causeText({ message, cause }: UpdaterError): string | undefined {
  for (let next = cause; next instanceof Error; next = next.cause) {
    const said = next instanceof AggregateError ? newsOf(next, message) : next.message;
    if (said !== '' && !message.includes(said)) return said;
  }
  return undefined;
}

/** The message of an AggregateError is a label; each of its errors has something to say. */
function newsOf({ errors }: AggregateError, message: string): string {
  const said = errors.map((error) => (error instanceof Error ? error.message : String(error)));
  return [...new Set(said)].filter((one) => !message.includes(one)).join('; ');
}

/** Linux's number for "disk quota exceeded", for which Node has no name. */
const EDQUOT = -122;

/** The code of an error from the operating system (`ENOENT`), or undefined for any other value. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  if ('errno' in error && error.errno === EDQUOT) return 'EDQUOT';
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The DISK_ error for a failed call on `path`; `action` completes "cannot …". One that is an UpdaterError stays itself. */
export function diskError(error: unknown, action: string, path: string): UpdaterError {
  if (error instanceof UpdaterError) return error;
  const errno = errnoOf(error);
  const message = `cannot ${action} ${path}: ${errno ?? String(error)}`;
  // The path itself may be gone by the time that somebody follows the remedy.
  const place = path.replace(/(?<=.)\/[^/]*$/, '');
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    const remedy = `Free space or inodes, or raise the quota, on the file system that holds ${place} (see \`df -h ${place}\` and \`df -i ${place}\`). The next run tries again.`;
    return new UpdaterError('DISK_FULL', message, { remedy, cause: error });
  }
  if (errno === 'EROFS') {
    const remedy = `Find out why the file system that holds ${place} is read-only (\`findmnt -T ${place}\`, \`dmesg\`), then remount it read-write. The next run tries again.`;
    return new UpdaterError('DISK_READ_ONLY', message, { remedy, cause: error });
  }
  if (errno === 'EFBIG') {
    const remedy = `A limit on the size of files stands in the way: LimitFSIZE= (\`systemctl show -P LimitFSIZE node-updater@NODE\`), or what the file system that holds ${place} can take. Raise it; the next run tries again.`;
    return new UpdaterError('DISK_IO', message, { remedy, cause: error });
  }
  const remedy = `Look at ${path} (\`namei -l ${path}\`) and at \`dmesg\` for disk errors; what stands there is left as it is.`;
  return new UpdaterError('DISK_IO', message, { remedy, cause: error });
}

/** What the operating system refused on a named path, as the DISK_ error that says so; everything else stays itself. */
export function namingDisk(error: unknown): unknown {
  if (error instanceof UpdaterError || errnoOf(error) === undefined) return error;
  const { path, syscall = '' } = error as NodeJS.ErrnoException;
  const onDisk = path?.startsWith('/') === true && !/^(spawn|connect)/.test(syscall);
  return onDisk ? diskError(error, syscall, path) : error;
}

/** Marks a place that the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new UpdaterError('INTERNAL', `unexpected value: ${JSON.stringify(value)}`, {
    remedy: 'This is a fault in node-updater. Please report it with the output of `node-updater history --json`.',
  });
}
