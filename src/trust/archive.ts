/**
 * The detached signature of an archive: a second statement about bytes whose size and digest the manifest already signed.
 *
 * Threat: as for the manifest; but an archive does not fit into memory, so gpgv alone reads it. What gpgv is lax about
 * (revoked, expired and weak keys, weak hashes, signatures from the future) is checked on the signature and the key.
 */
import { LIMITS } from '../manifest.ts';
import type { Fingerprint } from '../release.ts';
import type { Certificate } from './certificate.ts';
import { verifyWithGpgv } from './gpgv.ts';
import type { Signed } from './gpgv.ts';
import { checkSigner } from './openpgp.ts';
import { plainSignature } from './structure.ts';
import { tooFewSigners } from './verdict.ts';
import type { Verdict } from './verdict.ts';
import { judgeByKeys, requireKeys, splitBlock } from './verify.ts';
import type { TrustDeps } from './verify.ts';

/** The first trusted key found to have signed the open file. Throws TRUST_NO_KEYS, or what `tooFewSigners` makes. */
export async function verifyDetached(
  archive: Extract<Signed, { descriptor: number }>,
  armoured: Uint8Array,
  keys: readonly Certificate[],
  deps: TrustDeps,
): Promise<Fingerprint> {
  requireKeys(keys, 1);
  const packets = splitBlock(armoured, LIMITS.signaturesPerManifest);
  if ('reason' in packets) throw tooFewSigners('archive', [{ accepted: false, refusal: packets }], 1);
  const verdicts: Verdict[] = [];
  for (const packet of packets) {
    const verdict = await judgeArchive(archive, packet, keys, deps);
    if (verdict.accepted) return verdict.signer;
    verdicts.push(verdict);
  }
  throw tooFewSigners('archive', verdicts, 1);
}

async function judgeArchive(
  archive: Signed,
  packet: Uint8Array,
  keys: readonly Certificate[],
  deps: TrustDeps,
): Promise<Verdict> {
  const notPlain = plainSignature(packet);
  if (notPlain !== undefined) return { accepted: false, refusal: notPlain };
  return judgeByKeys(keys, async (key) => {
    const refused = await checkSigner(packet, key, deps.now);
    return refused ?? verifyWithGpgv(archive, packet, key, deps);
  });
}
