/** The key that a person hands over, in a file of his. */
import { readFile, stat } from 'node:fs/promises';
import { diskError, UpdaterError, type ErrorCode } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Fingerprint } from '../release.ts';
import { readCertificates } from '../trust/certificate.ts';
import { describeKey } from '../trust/openpgp.ts';
import type { KeyFacts } from '../trust/openpgp.ts';
import { requirePaths } from './typed-path.ts';

export interface GivenKey {
  readonly file: string;
  readonly fingerprint: Fingerprint;
}

/** Its owner does not matter: the fingerprint says whether it is the right one. */
export async function readKeyFile(file: string): Promise<Buffer> {
  await requirePaths([{ from: 'FILE', path: file, is: 'file', what: 'the file of the publisher’s public key' }]);
  try {
    const { size } = await stat(file);
    if (size > LIMITS.keyFile) throw keyFile(file, `is larger than ${LIMITS.keyFile} bytes`);
    return await readFile(file);
  } catch (error) {
    throw diskError(error, 'read', file);
  }
}

/** Throws TRUST_KEY_FILE unless it holds that key and no other. */
export async function describeGiven(bytes: Buffer, { file, fingerprint }: GivenKey, now: number): Promise<KeyFacts> {
  const [certificate, ...more] = certificatesIn(bytes, file);
  if (certificate === undefined || more.length > 0) {
    throw keyFile(
      file,
      `holds ${1 + more.length} keys; export the one that is meant: gpg --armor --export ${fingerprint}`,
    );
  }
  if (certificate.fingerprint !== fingerprint) {
    throw keyFile(file, `holds ${certificate.fingerprint}, not ${fingerprint}`);
  }
  return describeKey(certificate, now);
}

function certificatesIn(bytes: Buffer, file: string): ReturnType<typeof readCertificates> {
  try {
    return readCertificates(bytes);
  } catch (error) {
    throw keyFile(file, error instanceof Error ? error.message : String(error), error);
  }
}

const STATE_CODES: Readonly<Record<Exclude<KeyFacts['state'], 'good'>, ErrorCode>> = {
  expired: 'TRUST_KEY_EXPIRED',
  revoked: 'TRUST_KEY_REVOKED',
  unusable: 'TRUST_KEY_UNUSABLE',
};

export function notGood({ state, problem, fingerprint }: KeyFacts, file: string): UpdaterError {
  const code = state === 'good' ? 'INTERNAL' : STATE_CODES[state];
  return new UpdaterError(code, `the key ${fingerprint} in ${file} ${problem ?? 'does not count'}`, {
    remedy: 'Nothing was changed. Ask the publisher for a key that can sign, and for its fingerprint.',
  });
}

function keyFile(file: string, problem: string, cause?: unknown): UpdaterError {
  return new UpdaterError('TRUST_KEY_FILE', `${file} ${problem}`, {
    remedy: 'Nothing was changed. Compare the fingerprint with what the publisher states in a second place.',
    cause,
  });
}
