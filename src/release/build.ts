/**
 * `release build`: a directory becomes an archive that is the same, byte for byte, whoever builds it and wherever, and a
 * description of it.
 */
import { randomBytes } from 'node:crypto';
import { realpath, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { readHeaders } from '../artifact/headers.ts';
import type { Files } from '../host/ports.ts';
import type { Artifact, Release } from '../manifest.ts';
import type { Version } from '../release.ts';
import { diskError, errnoOf, UpdaterError } from '../errors.ts';
import { countEntry, writeArchive } from './archive.ts';
import type { TreeCounts } from './archive.ts';
import type { Format } from './compress.ts';
import { descriptionText, product, SUFFIX } from './description.ts';
import type { Description } from './description.ts';
import { readElf } from './elf.ts';
import { refusePath } from './refuse.ts';
import { readTree } from './tree.ts';

export interface BuildOptions {
  /** What is to be released: its content becomes the version directory. */
  readonly directory: string;
  /** Where the archive and its description go. */
  readonly out: string;
  readonly name: string;
  readonly version: Version;
  readonly arch?: Artifact['arch'] | undefined;
  readonly libc?: Artifact['libc'] | undefined;
  readonly format?: Format | undefined;
  readonly level?: number | undefined;
  /** The time of every entry, in whole seconds since the epoch (SOURCE_DATE_EPOCH); 0 unless given. */
  readonly mtime?: number | undefined;
  /** The node's program, relative to `directory`: must be executable; its ELF header says `arch` and `libc`. */
  readonly binary?: string | undefined;
  readonly epoch?: number | undefined;
  readonly rollback?: Release['rollback'] | undefined;
  readonly severity?: Release['severity'] | undefined;
  readonly notes?: string | undefined;
}

export interface Built {
  readonly archive: string;
  readonly descriptionFile: string;
  readonly description: Description;
}

/** Throws RELEASE_INPUT, or ARTIFACT_ as a host would, for what cannot be released, naming the path. A build over an older one replaces its files. */
export async function buildRelease(options: BuildOptions, files: Files): Promise<Built> {
  refuseName(options.name);
  const platform = await platformOf(options);
  await refuseOutInside(options);
  const base = `${options.out}/${baseName(options, platform)}`;
  const archive = `${base}.${options.format ?? 'tar.zst'}`;
  await files.makeDirectory(options.out, 0o755);
  const temporary = `${archive}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const { format = 'tar.zst', level, mtime = 0 } = options;
    const facts = await writeArchive(options.directory, temporary, { format, level, mtime });
    refuseEmpty(options.directory, facts.counts);
    await readHeaders(temporary, facts.counts); // by the very code of the hosts, while it can still be changed
    const description = describe(options, platform, archive, facts);
    await files.rename(temporary, archive);
    const descriptionFile = base + SUFFIX.description;
    await files.replace(descriptionFile, descriptionText(description), 0o644);
    return { archive, descriptionFile, description };
  } catch (cause) {
    throw diskError(cause, 'build', archive);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** What `buildRelease` would put into the archive; writes nothing. */
export async function surveyRelease(options: BuildOptions): Promise<TreeCounts> {
  await platformOf(options);
  const counts = { entries: 0, unpackedSize: 0 };
  for await (const entry of readTree(options.directory)) countEntry(counts, entry);
  refuseEmpty(options.directory, counts);
  return counts;
}

interface Platform {
  readonly arch: Artifact['arch'];
  readonly libc: Artifact['libc'];
}

async function platformOf({ directory, binary, arch, libc }: BuildOptions): Promise<Platform> {
  const elf = binary === undefined ? undefined : await readBinary(directory, binary);
  if (elf !== undefined && (elf.arch === undefined || (arch !== undefined && arch !== elf.arch))) {
    const found = elf.arch ?? 'a machine that node-updater does not know';
    throw refusePath(binary ?? '', `is a program for ${found}`, `Build it for ${arch ?? 'amd64 or arm64'}.`);
  }
  const here = process.arch === 'arm64' ? 'arm64' : 'amd64';
  return { arch: arch ?? elf?.arch ?? here, libc: libc ?? elf?.libc ?? 'gnu' };
}

async function readBinary(directory: string, binary: string): ReturnType<typeof readElf> {
  const remedy = 'Give --binary as the path of the program inside the directory, for example bin/storagenode.';
  const facts = await stat(`${directory}/${binary}`).catch((cause: unknown) => {
    throw refusePath(binary, 'is not in the directory', remedy, cause);
  });
  if (!facts.isFile()) throw refusePath(binary, 'is no regular file', remedy);
  if ((facts.mode & 0o100) === 0) throw refusePath(binary, 'is not executable', `Type: chmod 755 ${binary}`);
  return readElf(`${directory}/${binary}`);
}

/** An archive that is written into the tree that it is made of would hold a part of itself. */
async function refuseOutInside({ directory, out }: BuildOptions): Promise<void> {
  const [source, target] = [await resolveExisting(directory), await resolveExisting(out)];
  if (target === source || target.startsWith(`${source}/`)) {
    throw refusePath(out, 'lies inside the directory that is released', 'Give --out a place outside it.');
  }
}

/** realpath(3) that keeps the part which is not there yet. */
async function resolveExisting(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return join(await resolveExisting(dirname(resolve(path))), basename(path));
  }
}

function refuseName(name: string): void {
  const parsed = product.safeParse(name);
  if (parsed.success) return;
  throw new UpdaterError('RELEASE_INPUT', `${JSON.stringify(name)} cannot name a release`, {
    remedy: `Give --name as ${parsed.error.issues[0]?.message ?? 'a plain name'}.`,
    cause: parsed.error,
  });
}

function refuseEmpty(directory: string, counts: TreeCounts): void {
  if (counts.entries > 0) return;
  throw new UpdaterError('RELEASE_INPUT', `${directory} is empty`, { remedy: 'Give the directory of the release.' });
}

function baseName({ name, version }: BuildOptions, { arch, libc }: Platform): string {
  return `${name}-${version}-linux-${arch}-${libc}`;
}

function describe(
  options: BuildOptions,
  platform: Platform,
  archive: string,
  facts: { readonly size: number; readonly sha256: Description['sha256']; readonly counts: TreeCounts },
): Description {
  return {
    schema: 1,
    name: options.name,
    version: options.version,
    os: 'linux',
    ...platform,
    archive: basename(archive),
    size: facts.size,
    unpacked_size: facts.counts.unpackedSize,
    entries: facts.counts.entries,
    sha256: facts.sha256,
    epoch: options.epoch ?? 0,
    rollback: options.rollback ?? 'safe',
    severity: options.severity ?? 'routine',
    ...(options.notes === undefined ? {} : { notes: options.notes }),
    ...(options.binary === undefined ? {} : { binary: options.binary }),
  };
}
