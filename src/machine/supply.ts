/** The steps that bring a release onto this host without touching the node: fetch → verify → stage. */
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { damagedVersion } from '../activation/check-whole.ts';
import { makeWay } from '../activation/make-way.ts';
import { checkSpace, type Need } from '../activation/space.ts';
import { isStaged, stageRelease, type UnpackInto } from '../activation/stage.ts';
import { verifyVersion } from '../activation/verify-version.ts';
import { digestOf } from '../artifact/digest.ts';
import { readSpool, takeCopy } from '../artifact/spool.ts';
import { unpack } from '../artifact/unpack.ts';
import { diskError, UpdaterError } from '../errors.ts';
import { LIMITS, type Artifact } from '../manifest.ts';
import type { Digest, Version } from '../release.ts';
import type { FetchFile } from '../orders.ts';
import { fetchFailure } from '../source/fetch-failure.ts';
import { fetchFiles, tryFiles } from '../source/fetch-room.ts';
import { verifyDetached } from '../trust/archive.ts';
import { checkKeySet, underKeySet } from '../trust/rotation.ts';
import type { MachineContext } from './context.ts';
import { trustedKeys } from './key-walk.ts';
import { failureOf, type Answer } from './run.ts';
import type { Transaction } from './state.ts';
import { trustDeps } from './trust-deps.ts';

/** What stays in the cache directory when a release has been staged or another is fetched. */
const KEPT = ['manifest.json'];

const ALREADY: Answer = { event: 'ok', facts: { staged: 'already' } };

/**
 * Has the fetch room bring the archive and its signature. What is staged already is not fetched again, unless its files are not
 * what was staged: then it makes way.
 */
export async function fetchArtifact(transaction: Transaction, context: MachineContext): Promise<Answer> {
  const { version, digest } = wanted(transaction);
  if (await isStaged(context.layout, version, digest)) {
    if (await holds(version, context)) return ALREADY;
    await makeWay(version, context);
  }
  return bringArtifact(transaction, context);
}

/** Whatever is staged already. */
export async function bringArtifact(transaction: Transaction, context: MachineContext): Promise<Answer> {
  const { version, artifact, digest } = wanted(transaction);
  await checkSpace(spaceFor(version, artifact, context));
  const bases = context.settings.source.urls;
  const signed = { size: artifact.size, sha256: digest };
  const archive = { name: archiveName(version), urls: absolute(artifact.url, bases), limit: artifact.size, signed };
  const files = [archive, ...signatureFiles(version, artifact, context)];
  const fetching = { ...context, fetch: context.global.fetch, readSpool };
  const [brought, ...signatures] = await tryFiles({ files, keep: KEPT }, fetching);
  const failed = [brought, signatures.find(({ outcome }) => outcome === 'fetched') ?? signatures[0]];
  for (const report of failed) if (report?.outcome === 'failed') throw fetchFailure(report);
  return { event: 'ok', facts: { bytes: artifact.size } };
}

async function holds(version: Version, { layout, heartbeat, log }: MachineContext): Promise<boolean> {
  const verdict = await verifyVersion(version, layout, () => {
    heartbeat.beat();
  });
  if (verdict.state === 'damaged') log.warn(`${damagedVersion(version, verdict, '').message}. It is staged anew`);
  return verdict.state !== 'damaged';
}

/** From each mirror its own: one that has another signature must not keep that of the others from being looked at. */
function signatureFiles(version: Version, artifact: Artifact, { settings }: MachineContext): FetchFile[] {
  return absolute([artifact.signature], settings.source.urls).map((url, index) => {
    const name = index === 0 ? `${archiveName(version)}.asc` : `${archiveName(version)}-${index + 1}.asc`;
    return { name, urls: [url], limit: LIMITS.signature };
  });
}

/** The directory that is staged in, the one for what has no name yet, the listing, and the record with its temporary file. */
const STAGING_ENTRIES = 5;
/** Of the listing, for each entry: as long as a path mostly is. */
const LISTING_LINE = 128;

/** The archive is there twice for a while: as the fetch room left it, and as the copy that is believed. */
function spaceFor(version: Version, { size, unpackedSize, entries }: Artifact, { layout }: MachineContext): Need[] {
  const file = { bytes: size, entries: 1 };
  return [
    { what: 'the download', path: layout.cache, ...file },
    { what: 'a copy of it', path: layout.incoming, ...file },
    {
      what: version,
      path: layout.versions,
      bytes: unpackedSize + entries * LISTING_LINE,
      entries: entries + STAGING_ENTRIES,
    },
  ];
}

export async function verifyArtifact(transaction: Transaction, context: MachineContext): Promise<Answer> {
  const { version, digest } = wanted(transaction);
  if (await isStaged(context.layout, version, digest)) return ALREADY;
  return verifyBrought(transaction, context);
}

/** Copies the archive out of the fetch room's reach, once, and believes only that copy: size, digest, signature. */
export async function verifyBrought(transaction: Transaction, context: MachineContext): Promise<Answer> {
  const copy = copyPath(context);
  await context.files.remove(copy);
  try {
    return await verifyCopy(copy, transaction, context);
  } catch (error) {
    await context.files.remove(copy);
    throw error;
  }
}

async function verifyCopy(copy: string, transaction: Transaction, context: MachineContext): Promise<Answer> {
  const { version, artifact, digest } = wanted(transaction);
  const { clock, heartbeat, layout } = context;
  const taken = takeCopy({ directory: layout.cache, name: archiveName(version), limit: artifact.size }, copy);
  const [size, trusted] = await heartbeat.during(both(taken, trustedKeys(context)));
  if (size !== artifact.size)
    throw wrongBytes('TRUST_SIZE', `has ${size} bytes, and ${artifact.size} are signed`, version);
  // As the manifest was, a moment or a night before.
  checkKeySet(trusted, clock.now());
  await using file = await open(copy, 'r');
  const signed = { descriptor: file.fd, size };
  const spooled = signatureFiles(version, artifact, context).map((each) => each.name);
  const checked = firstThatCounts(spooled, async (name) => {
    const signature = await readSpool(layout.cache, name, LIMITS.signature);
    return verifyDetached(signed, signature, trusted.keys, trustDeps(context)).catch((error: unknown) => {
      throw error instanceof UpdaterError ? underKeySet(error, trusted) : error;
    });
  });
  const [, signer] = await heartbeat.during(both(checkDigest(file, copy, { version, digest }), checked));
  return { event: 'ok', facts: { signer } };
}

/**
 * `names` is not empty. Throws what is wrong with the first one when none counts; what this host lacks is thrown at once. That a
 * verifier dies may be the doing of one mirror's signature.
 */
async function firstThatCounts<T>(names: readonly string[], judge: (name: string) => Promise<T>): Promise<T> {
  const refused: UpdaterError[] = [];
  for (const name of names) {
    try {
      return await judge(name);
    } catch (error) {
      const theirs = error instanceof UpdaterError && /^TRUST_(?!NO_KEYS)/.test(error.code);
      if (!theirs) throw error;
      refused.push(error);
    }
  }
  // That one was not brought says less than that one is bad.
  throw refused.reduce((told, next) => (told.code === 'TRUST_SPOOL' ? next : told));
}

async function checkDigest(
  file: FileHandle,
  path: string,
  { version, digest }: Omit<Wanted, 'artifact'>,
): Promise<void> {
  const sha256 = await digestOf(file, path);
  if (sha256 !== digest) throw wrongBytes('TRUST_DIGEST', `has SHA-256 ${sha256}, and ${digest} is signed`, version);
}

/** Side by side, each to its end: nothing goes on in the background when this throws, what the first had to say before the second. */
async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([first, second]);
  return [await first, await second];
}

/** Unpacks into a directory that nothing uses yet, where nothing has a name before all of the archive was judged. */
export async function stageArtifact(transaction: Transaction, context: MachineContext): Promise<Answer> {
  const { version, artifact, digest } = wanted(transaction);
  const { heartbeat, layout, files } = context;
  if (await isStaged(layout, version, digest)) return ALREADY;
  const copy = copyPath(context);
  const { entries, unpackedSize } = artifact;
  try {
    const release = { version, digest, entries, unpackedSize, binary: context.settings.binary };
    const unpackInto: UnpackInto = async (directory, wrote) => {
      const listed = await unpack(copy, { entries, unpackedSize }, directory, (bytes) => {
        heartbeat.beat();
        wrote(bytes);
      });
      await drop(copy);
      return listed;
    };
    await heartbeat.during(stageRelease(release, unpackInto, layout, files));
  } finally {
    await files.remove(copy);
  }
  await pruneCache(context);
  return { event: 'ok', facts: { entries, bytes: unpackedSize } };
}

/** The copy has served, and what is gone need not be flushed. That it is gone need not last: the caller removes it for good. */
async function drop(copy: string): Promise<void> {
  try {
    await unlink(copy);
  } catch (error) {
    throw diskError(error, 'remove', copy);
  }
}

/** The archive has served. The cache directory is the fetch room's, so that removes it; room on the disk is no reason to fail. */
async function pruneCache(context: MachineContext): Promise<void> {
  try {
    await fetchFiles({ files: [], keep: KEPT }, { ...context, fetch: context.global.fetch, readSpool });
  } catch (error) {
    context.log.warn('The downloaded archive could not be removed; the next download tries again', {
      cause: failureOf(error).message,
    });
  }
}

interface Wanted {
  readonly version: Version;
  readonly artifact: Artifact;
  readonly digest: Digest;
}

function wanted({ to, artifact, digest }: Transaction): Wanted {
  if (artifact !== undefined && digest !== undefined) return { version: to, artifact, digest };
  throw new UpdaterError('INTERNAL', `the transaction to ${to} has no artifact to fetch`, {
    remedy: 'This is a fault in node-updater. Please report it with the output of: node-updater history --json',
  });
}

function archiveName(version: Version): string {
  return `${version}.archive`;
}

function copyPath(context: MachineContext): string {
  return `${context.layout.incoming}/archive`;
}

/** Addresses in a manifest may be relative to wherever the manifest lies: every mirror is tried. */
function absolute(urls: readonly string[], bases: readonly string[]): string[] {
  const all = bases.flatMap((base) => urls.map((url) => new URL(url, base).href));
  return [...new Set(all)];
}

function wrongBytes(code: 'TRUST_SIZE' | 'TRUST_DIGEST', what: string, version: Version): UpdaterError {
  return new UpdaterError(code, `What the source sent as ${version} ${what}`, {
    remedy: 'The bytes were discarded. The next run fetches them again; if it stays so, tell the publisher.',
  });
}
