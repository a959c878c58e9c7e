/** What `build` and `sign` left, read back and compared before it is published. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { Artifact } from '../manifest.ts';
import { readDescription, SUFFIX } from './description.ts';
import type { Description } from './description.ts';
import type { Addition } from './plan.ts';
import { refusePath } from './refuse.ts';
import { archivePath, fileFacts, signaturePath, urlOf } from './site.ts';

export interface Offer {
  readonly description: Description;
  /** Path of the archive. */
  readonly archive: string;
  /** The armoured text of its signature. */
  readonly signature: Buffer;
  /** Where it goes, relative to the manifest. */
  readonly place: string;
  /** Where its signature goes. */
  readonly signaturePlace: string;
}

/** Throws RELEASE_INPUT when the archive is not as described, or is not signed. */
export async function readOffer(descriptionFile: string): Promise<Offer> {
  const description = await readDescription(descriptionFile);
  const archive = join(dirname(descriptionFile), description.archive);
  const facts = await fileFacts(archive);
  if (facts?.size !== description.size || facts.sha256 !== description.sha256) {
    throw refusePath(archive, `is not what ${descriptionFile} describes`, 'Build the release again, then sign it.');
  }
  const place = archivePath(description.version, description.sha256, description.archive);
  const signature = await readSignature(archive);
  return { description, archive, signature, place, signaturePlace: signaturePath(place, signature) };
}

/** `mirrors` are absolute URLs of copies of the directory; they are tried after the directory itself. */
export function additionOf({ description, place, signaturePlace }: Offer, mirrors: readonly string[]): Addition {
  const { name, version, severity, notes, epoch, rollback } = description;
  return {
    name,
    version,
    severity,
    ...(notes === undefined ? {} : { notes }),
    epoch,
    rollback,
    artifact: artifactOf(description, place, urlOf(signaturePlace), mirrors),
  };
}

function artifactOf(description: Description, place: string, signature: string, mirrors: readonly string[]): Artifact {
  const { os, arch, libc, size, unpacked_size, entries, sha256 } = description;
  const url = urlOf(place);
  const copies = mirrors.map((mirror) => new URL(url, mirror.endsWith('/') ? mirror : `${mirror}/`).href);
  return {
    os,
    arch,
    libc,
    url: [url, ...copies],
    size,
    unpackedSize: unpacked_size,
    entries,
    sha256,
    signature,
  };
}

async function readSignature(archive: string): Promise<Buffer> {
  try {
    return await readFile(archive + SUFFIX.signature);
  } catch (cause) {
    const why = errnoOf(cause) === 'ENOENT' ? 'is not signed' : 'has a signature that cannot be read';
    throw refusePath(archive, why, `Type: node-updater release sign ${archive}`, cause);
  }
}
