/** Public keys that a publisher names as FILE=FINGERPRINT: judged as on a host, but it is not a host that has to be mended. */
import { UpdaterError } from '../errors.ts';
import type { TrustedKey } from '../settings.ts';
import type { Certificate } from '../trust/certificate.ts';
import { loadKeys } from '../trust/keys.ts';

/** None for none. Throws TRUST_KEY_FILE, DISK_. */
export async function loadPublisherKeys(keys: readonly TrustedKey[]): Promise<readonly Certificate[]> {
  return Promise.all(keys.map(loadKey)).then((all) => all.flat());
}

async function loadKey(key: TrustedKey): Promise<readonly Certificate[]> {
  try {
    return await loadKeys([key]);
  } catch (error) {
    if (!(error instanceof UpdaterError) || error.code !== 'TRUST_KEY_FILE') throw error;
    throw new UpdaterError('TRUST_KEY_FILE', error.message.replace('trusted key file', 'key file'), {
      remedy: `Give FILE=FINGERPRINT as keygen has said it, of a file that is yours alone to write: gpg --armor --export ${key.fingerprint} > FILE, then chmod 644 FILE.`,
      cause: error,
    });
  }
}
