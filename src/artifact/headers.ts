/**
 * Judges every header of an archive, in one pass from its first byte to its last.
 *
 * Threat: a publisher's key or build was misused, and the archive is correctly signed and hostile; or two tar readers take
 * it for two different trees. The archive is refused as a whole at the first thing that is wrong. Nothing is skipped,
 * repaired or warned about, and no more is decompressed than its signed counts allow. Only a whole archive has an
 * inventory, and nobody has the names in it before that (unpack.ts).
 */
import { readTar } from './compression.ts';
import { cutter } from './cutter.ts';
import type { Entry } from './entry.ts';
import { malformed, miscounted } from './refusal.ts';
import { confirm } from './second-opinion.ts';
import { emptyTree } from './tree.ts';

/** What the manifest says of an archive (Artifact in manifest.ts). */
export interface SignedCounts {
  /** Files, directories and links that have a header of their own, with `./` when it has one: `tar t | wc -l`. */
  readonly entries: number;
  /** Bytes of all regular files together. */
  readonly unpackedSize: number;
}

/** What the archive holds, and nothing else. */
export interface Inventory extends SignedCounts {
  /** In the order of the archive. */
  readonly items: readonly Entry[];
  /** Every directory below the root, parents first, also those without an entry. */
  readonly directories: readonly string[];
}

/** Takes the bodies of the files, in the order of the archive. It is told sizes and bytes, and no more. */
export interface Bodies {
  /** A file begins, whose header was found good and within the signed counts. */
  readonly begin: (size: number) => void;
  /** The next bytes of it; only valid during the call. */
  readonly write: (bytes: Buffer) => void;
}

/** Called after each piece (at most 256 KiB) with its unpacked bytes, so that the caller can show that it is alive. */
export type Progress = (bytes: number) => void;

const LEFT_OUT: Bodies = { begin: () => undefined, write: () => undefined };

/**
 * Reads the archive at `path` (a verified copy of our own) and checks it against its signed counts.
 * Rejects with ARTIFACT_UNSAFE, _MALFORMED, _UNSUPPORTED or _COUNTS; DISK_IO when it cannot be read; and with what `bodies`
 * throws.
 */
export async function readHeaders(
  path: string,
  signed: SignedCounts,
  onProgress?: Progress,
  bodies: Bodies = LEFT_OUT,
): Promise<Inventory> {
  const inventory = await inventoryOf(path, signed, onProgress, bodies);
  for (const count of ['entries', 'unpackedSize'] as const) {
    if (inventory[count] !== signed[count]) {
      throw miscounted(`${count} is ${inventory[count]}, and ${signed[count]} is signed`);
    }
  }
  return inventory;
}

/** For who makes the manifest: counts an archive by the same rules, with `most` as the limit. */
export async function inventoryOf(
  path: string,
  most: SignedCounts,
  onProgress?: Progress,
  bodies: Bodies = LEFT_OUT,
): Promise<Inventory> {
  const tree = emptyTree();
  const items: Entry[] = [];
  let unpackedSize = 0;
  const cut = cutter({
    found: (found) => {
      const { entry } = found;
      confirm(found);
      items.push(entry);
      if (entry.kind === 'file') unpackedSize += entry.size;
      checkMost(items.length, unpackedSize, most);
      tree.add(entry);
      if (entry.kind === 'file') bodies.begin(entry.size);
    },
    body: bodies.write,
  });
  for await (const bytes of readTar(path)) {
    cut.write(bytes);
    onProgress?.(bytes.length);
  }
  cut.end();
  if (items.length === 0) throw malformed('it is empty');
  tree.checkLinks();
  return { entries: items.length, unpackedSize, items, directories: tree.directories() };
}

/** A bomb is stopped at the header that would exceed what was signed, before its body is decompressed. */
function checkMost(entries: number, unpackedSize: number, most: SignedCounts): void {
  if (entries > most.entries) throw miscounted(`it has more than ${most.entries} entries`);
  if (unpackedSize > most.unpackedSize) throw miscounted(`it unpacks to more than ${most.unpackedSize} bytes`);
}
