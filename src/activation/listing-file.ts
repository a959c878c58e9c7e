/**
 * `versions/.VERSION.files`: what the files of a staged version were, line by line in walkOrder, so that a version of whatever size
 * is compared with it in little memory. Beside the version and not in it, so that the release stays as it was signed.
 *
 * It is about accidents: who can change a version can change this as well. That the listing itself is whole is seen by its
 * last line, so that a bit that fell over in it is not taken for a damaged version.
 */
import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { errnoOf } from '../errors.ts';
import type { NodeLayout } from '../layout.ts';
import type { Listed } from '../listing.ts';
import type { Digest, Version } from '../release.ts';

export interface ListingHead {
  readonly schema: 1;
  readonly version: Version;
  /** SHA-256 of the archive. */
  readonly sha256: Digest;
  /** Of every file. */
  readonly uid: number;
  readonly gid: number;
}

interface ListingEnd {
  readonly entries: number;
  /** Of all the bytes before this line. */
  readonly crc32: number;
}

/** The listing cannot be used, and says nothing about the version. The message completes "its files cannot be verified: …". */
export class UselessListing extends Error {
  override readonly name = 'UselessListing';
}

export function listingPath(layout: Pick<NodeLayout, 'versions'>, version: Version): string {
  return `${layout.versions}/.${version}.files`;
}

const PIECE = 64 * 1024;

/** The text, in pieces. `listed` is in walkOrder. */
export function* listingText(head: ListingHead, listed: Iterable<Listed>): Generator<string, void, undefined> {
  let sum = 0;
  let entries = 0;
  let waiting = `${JSON.stringify(head)}\n`;
  for (const one of listed) {
    entries++;
    waiting += `${oneLine(JSON.stringify(lineOf(one)))}\n`;
    if (waiting.length < PIECE) continue;
    sum = crc32(waiting, sum);
    yield waiting;
    waiting = '';
  }
  const end: ListingEnd = { entries, crc32: crc32(waiting, sum) };
  yield `${waiting}${JSON.stringify(end)}\n`;
}

/**
 * The head, then each entry. Rejects with UselessListing, at its end at the latest: what was read of a listing counts only when
 * all of it was.
 */
export async function* readListing(
  layout: Pick<NodeLayout, 'versions'>,
  version: Version,
): AsyncGenerator<ListingHead | Listed, void, undefined> {
  try {
    await using file = await open(listingPath(layout, version));
    let sum = 0;
    let entries = -1;
    for await (const line of file.readLines({ autoClose: false })) {
      const parsed = parseLine(line);
      if ('entries' in parsed) {
        if (parsed.crc32 !== sum || parsed.entries !== entries) throw damaged();
        return;
      }
      sum = crc32(`${line}\n`, sum);
      entries++;
      yield parsed;
    }
    throw damaged();
  } catch (error) {
    throw useless(error);
  }
}

function damaged(): UselessListing {
  return new UselessListing('the listing of them is damaged itself');
}

function useless(error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === 'ENOENT') return new UselessListing('an older node-updater staged it, and kept no listing of them');
  if (errno === 'EMFILE' || errno === 'ENFILE' || errno === undefined) return error;
  return new UselessListing(`the listing of them cannot be read (${errno})`, { cause: error });
}

type Line =
  readonly ['d', string, number] | readonly ['f', string, number, number, number] | readonly ['l', string, string];

function lineOf(one: Listed): Line {
  switch (one.kind) {
    case 'directory':
      return ['d', one.path, one.mode];
    case 'file':
      return ['f', one.path, one.mode, one.size, one.crc32];
    case 'link':
      return ['l', one.path, one.target];
  }
}

/** A name may hold what JSON leaves as it is, and node:readline takes for the end of a line. */
function oneLine(json: string): string {
  return json.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

/** Written by ourselves and guarded by the sum at the end: what is no line of ours is damage, the shape of one is not doubted. */
function parseLine(text: string): ListingHead | ListingEnd | Listed {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw damaged();
    throw error;
  }
  if (!Array.isArray(value)) {
    if (typeof value !== 'object' || value === null || !('schema' in value || 'entries' in value)) throw damaged();
    return value as ListingHead | ListingEnd;
  }
  const line = value as unknown as Line;
  switch (line[0]) {
    case 'd':
      return { kind: 'directory', path: line[1], mode: line[2] };
    case 'f':
      return { kind: 'file', path: line[1], mode: line[2], size: line[3], crc32: line[4] };
    case 'l':
      return { kind: 'link', path: line[1], target: line[2] };
    default:
      throw damaged();
  }
}
