/**
 * What a host would say of published files, said to whoever can mend them: the host's own code and words, led by the file that they
 * are about, with the publisher's remedy in place of the operator's.
 */
import { UpdaterError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

/** `before`: the manifest that the next publication replaces. */
export type Published = 'manifest' | 'before' | 'archive' | 'keys';

/** Does `work`; what it throws about the file comes out with its name. `DISK_` and `SOURCE_` errors have theirs already. */
export async function about<T>(kind: Published, file: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof UpdaterError ? toPublisher(error, kind, file) : error;
  }
}

function toPublisher(error: UpdaterError, kind: Published, file: string): UpdaterError {
  const remedy = remedyFor(error.code, kind);
  if (remedy === undefined) return error;
  const message = error.message.includes(file) ? error.message : `${file}: ${error.message}`;
  return new UpdaterError(error.code, message, { remedy, cause: error });
}

function remedyFor(code: ErrorCode, kind: Published): string | undefined {
  if (kind === 'before' && (code === 'TRUST_ENVELOPE' || code === 'TRUST_MANIFEST')) return NO_MANIFEST;
  const special = SPECIAL[code];
  if (special !== undefined) return `${special} ${SAY_AGAIN[kind]}`;
  if (code === 'TRUST_SIZE' || code === 'TRUST_DIGEST') return undefined; // says already which file is to be put back
  if (code.startsWith('ARTIFACT_'))
    return 'Mend the tree, and build it again under a new version: node-updater release build.';
  return code.startsWith('TRUST_') ? (BY_CODE[code] ?? SAY_AGAIN[kind]) : undefined;
}

const SAY_AGAIN: Readonly<Record<Published, string>> = {
  manifest:
    'Publish it again by keys that hosts trust: node-updater release publish DIRECTORY -u KEY… If other keys than the given ones have signed it, give those: --key FILE=FINGERPRINT.',
  before:
    'Give --key FILE=FINGERPRINT of a key that signed what is published now. If nobody did whom you know, somebody else can write to the directory: put the manifest.json that you published back.',
  archive:
    'Have it signed by a key that hosts trust, and publish it again: node-updater release sign ARCHIVE -u KEY…, then node-updater release publish DIRECTORY ARCHIVE’S.release.json -u KEY…',
  keys: 'Hosts stay with the key set before. Put the file that was published back into place; if no host could ever take it, remove it and make it again: node-updater release rotate DIRECTORY -u KEY…',
};

const NO_MANIFEST =
  'What lies there is no manifest: put the manifest.json that was published back, from the server or another copy.';

/** What to do first; then the file is made again. */
const SPECIAL: Partial<Record<ErrorCode, string>> = {
  TRUST_KEY_EXPIRED:
    "Prolong the key where its primary key is (gpg --quick-set-expire FINGERPRINT 2y '*'), and give hosts the new certificate (node-updater release rotate --add FILE=FINGERPRINT).",
  TRUST_KEY_REVOKED: 'Sign with a key that is not revoked.',
  TRUST_KEY_UNUSABLE: 'Sign with a key that may sign, and that the certificate in FILE holds.',
  TRUST_WEAK_KEY: 'Make a strong key: node-updater release keygen.',
  TRUST_WEAK_HASH: 'Sign with SHA-256 or stronger: `node-updater release sign` does.',
  TRUST_SIGNATURE_TIME: 'Set the clock of the machine that signs (`timedatectl`).',
};

const BY_CODE: Partial<Record<ErrorCode, string>> = {
  TRUST_VERIFIER: 'Install or repair gpgv here (`apt install --reinstall gpgv`), then type the command again.',
  TRUST_NO_KEYS: 'Give --key FILE=FINGERPRINT for each key that hosts trust, and a --threshold that they reach.',
  TRUST_EXPIRED: 'Renew it: node-updater release publish DIRECTORY -u KEY… Until then hosts take no update.',
  TRUST_CLOCK: 'Compare the clock of this machine, and of the one that published, with a trusted one (`timedatectl`).',
  TRUST_KEYS_EXPIRED:
    'Publish the next key set: node-updater release rotate DIRECTORY -u KEY…, then renew the manifest.',
  TRUST_NEWER_SCHEMA: 'It was made by a later node-updater: install that one here.',
};
