/** A publisher's keys and key sets, made by a real gpg at any time in the past. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readCertificates } from '../../../src/trust/certificate.ts';
import type { Certificate } from '../../../src/trust/certificate.ts';
import { keySetText } from '../../../src/trust/key-set.ts';
import type { KeySet } from '../../../src/trust/key-set.ts';
import type { Gpg } from './support.ts';

export interface MadeKey {
  readonly user: string;
  readonly certificate: Certificate;
  readonly armoured: string;
}

/** `at` and the life that follows are the key's own: `makeKeyAt(gpg, 'one', '2024-01-01', '1y')`. */
export async function makeKeyAt(gpg: Gpg, user: string, at: string, life = 'never'): Promise<MadeKey> {
  await gpg(...pretend(at), '--quick-generate-key', user, 'ed25519', 'sign', life);
  return exportKey(gpg, user);
}

export async function exportKey(gpg: Gpg, user: string): Promise<MadeKey> {
  const armoured = (await gpg('--armor', '--export', '--export-options', 'export-minimal', user)).toString();
  const [certificate] = readCertificates(Buffer.from(armoured));
  if (certificate === undefined) throw new Error(`gpg exported no key for ${user}`);
  return { user, certificate, armoured };
}

export interface SetOptions {
  readonly number: number;
  readonly keys: readonly MadeKey[];
  readonly threshold?: number;
  readonly at: string;
  readonly expires?: string;
  readonly name?: string;
}

export function setOf({ number, keys, threshold = 1, at, expires, name = 'demo' }: SetOptions): KeySet {
  const published = Date.parse(at);
  return {
    schema: 1,
    name,
    number,
    published,
    expires: expires === undefined ? published + 365 * 24 * 3_600_000 : Date.parse(expires),
    threshold,
    keys: keys.map(({ armoured, certificate }) => ({
      fingerprint: certificate.fingerprint,
      certificate: armoured,
    })),
  };
}

/** The envelope of `text`, signed by each of `signers` at its time. */
export async function signText(gpg: Gpg, text: string, signers: readonly MadeKey[], at: string): Promise<Buffer> {
  const file = join(gpg.home, 'document');
  await writeFile(file, text);
  const signatures: string[] = [];
  for (const { certificate } of signers) {
    const options = [...pretend(at), '--armor', '--local-user', certificate.fingerprint, '--output', '-'];
    signatures.push((await gpg(...options, '--detach-sign', file)).toString());
  }
  return Buffer.from(JSON.stringify({ manifest: text, signatures }));
}

export async function signedSet(gpg: Gpg, set: KeySet, signers: readonly MadeKey[]): Promise<Buffer> {
  return signText(gpg, keySetText(set), signers, new Date(set.published).toISOString());
}

function pretend(at: string): string[] {
  return [
    '--faked-system-time',
    `${new Date(at)
      .toISOString()
      .replace(/[-:]|\.\d+/g, '')
      .replace('Z', '')}!`,
  ];
}
