/** What a host would make of published bytes: the same verification, with the keys that hosts trust. */
import { open } from 'node:fs/promises';
import { readHeaders } from '../artifact/headers.ts';
import type { SignedCounts } from '../artifact/headers.ts';
import { UpdaterError } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import type { Fingerprint } from '../release.ts';
import { verifyDetached } from '../trust/archive.ts';
import type { Certificate } from '../trust/certificate.ts';
import { parseManifest } from '../trust/manifest.ts';
import { verifyEnvelope } from '../trust/verify.ts';
import type { TrustDeps } from '../trust/verify.ts';

export interface Client {
  readonly keys: readonly Certificate[];
  readonly threshold: number;
  readonly trust: TrustDeps;
}

export interface ReadManifest {
  readonly manifest: Manifest;
  /** What was signed. */
  readonly text: string;
  readonly signers: readonly Fingerprint[];
}

/** Throws the TRUST_ error that a host would report. */
export async function readAsClient(envelope: Uint8Array, client: Client): Promise<ReadManifest> {
  const { text, signers } = await verifyEnvelope(envelope, client.keys, client.threshold, client.trust);
  return { manifest: parseManifest(text), text, signers };
}

/** Who signed the archive at `path`, whose headers were all found good. Throws what a host would: TRUST_, ARTIFACT_. */
export async function verifyArchive(
  path: string,
  armoured: Uint8Array,
  counts: SignedCounts,
  client: Client,
): Promise<Fingerprint> {
  const signer = await verifySignature(path, armoured, client);
  await readHeaders(path, counts);
  return signer;
}

async function verifySignature(path: string, armoured: Uint8Array, client: Client): Promise<Fingerprint> {
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  return await verifyDetached({ descriptor: file.fd, size }, armoured, client.keys, client.trust);
}

/** Whether an error says that other keys signed, or none, rather than that nothing could be found out. */
export function isNotByThese(error: unknown): boolean {
  return error instanceof UpdaterError && error.code.startsWith('TRUST_') && error.code !== 'TRUST_VERIFIER';
}
