/**
 * The authorities whose certificates a server may show. TLS keeps the curious out; what a release is believed for is its
 * signature alone (F010), so an authority too many costs no trust.
 */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { getCACertificates } from 'node:tls';
import { UpdaterError, errnoOf } from '../errors.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Those of the host, and the PEM certificates in `caFile`; undefined: those of the host alone.
 * @throws UpdaterError SOURCE_TLS when the file cannot be read or holds no certificate
 */
export async function loadAuthorities(caFile: string | undefined): Promise<readonly string[] | undefined> {
  if (caFile === undefined) return undefined;
  return [...getCACertificates('default'), ...(await readCertificates(caFile))];
}

async function readCertificates(path: string): Promise<readonly string[]> {
  let text: string;
  try {
    text = await readFile(path, 'latin1');
  } catch (cause) {
    throw unusable(path, `cannot be read (${errnoOf(cause) ?? 'unknown'})`, cause);
  }
  const found = text.match(CERTIFICATE) ?? [];
  if (found.length === 0) throw unusable(path, 'holds no certificate in PEM');
  for (const pem of found) check(path, pem);
  return found;
}

function check(path: string, pem: string): void {
  try {
    new X509Certificate(pem);
  } catch (cause) {
    throw unusable(path, 'holds a certificate that is none', cause);
  }
}

function unusable(path: string, what: string, cause?: unknown): UpdaterError {
  return new UpdaterError('SOURCE_TLS', `The file of \`ca_file\`, ${path}, ${what}.`, {
    cause,
    remedy: `Correct it; the user node-updater must be able to read it: sudo -u node-updater openssl x509 -in ${path} -noout -subject`,
  });
}
