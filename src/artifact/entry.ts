/**
 * From a header block and what was said about it beforehand (PAX records, GNU long names) to an entry of the three
 * kinds that a release may have. Everything else refuses the archive.
 */
import type { HeaderBlock } from './block.ts';
import { checkTarget, directoryPath, plainPath, textOf } from './names.ts';
import type { PaxRecords } from './pax.ts';
import { malformed, quoted, unsafe, unsupported } from './refusal.ts';

export type Entry =
  | { readonly kind: 'file'; readonly path: string; readonly size: number; readonly mode: 0o644 | 0o755 }
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'link'; readonly path: string; readonly target: string };

/** The header's name, link target and size after the extensions, as they stand in the archive. */
export interface Described {
  readonly type: string;
  readonly name: string;
  readonly link: string;
  readonly mode: number;
  readonly size: number;
}

const OCTAL_SIZE_MAX = 0o77777777777;
const SET_ID = 0o6000;
const EXECUTE = 0o111;
const REFUSED: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '3': 'a character device',
  '4': 'a block device',
  '6': 'a FIFO',
  '7': 'a contiguous file',
  A: 'an access list',
  D: 'a GNU dump directory',
  M: 'the continuation of another volume',
  N: 'an old GNU long name',
  S: 'a sparse file',
  V: 'a volume label',
};

export function describe(block: HeaderBlock, pax: PaxRecords): Described {
  return {
    type: block.type,
    name: pax.path ?? textOf(block.name),
    link: pax.linkpath ?? textOf(block.link),
    mode: block.mode,
    size: sizeOf(block, pax),
  };
}

/** A PAX size is for what the header cannot say; one that contradicts the header hides entries from one reader. */
function sizeOf(block: HeaderBlock, pax: PaxRecords): number {
  if (pax.size === undefined || pax.size === block.size) return block.size;
  if (pax.size <= OCTAL_SIZE_MAX) throw malformed('a PAX size contradicts its header');
  return pax.size;
}

export function entryOf(described: Described): Entry {
  switch (described.type) {
    case '0':
      return fileEntry(described);
    case '2':
      return linkEntry(described);
    case '5':
      return directoryEntry(described);
    default:
      throw refusedType(described);
  }
}

function fileEntry({ name, link, mode, size }: Described): Entry {
  if (link !== '') throw malformed(`the file ${quoted(name)} has a link target`);
  if (name.endsWith('/')) throw malformed(`the file ${quoted(name)} is named like a directory`);
  const path = plainPath(name);
  if ((mode & SET_ID) !== 0) throw unsafe(`${quoted(name)} is setuid or setgid`, 'Pack it without these bits.');
  return { kind: 'file', path, size, mode: (mode & EXECUTE) === 0 ? 0o644 : 0o755 };
}

function linkEntry({ name, link, size }: Described): Entry {
  if (size !== 0) throw malformed(`the link ${quoted(name)} has a body`);
  if (name.endsWith('/')) throw malformed(`the link ${quoted(name)} is named like a directory`);
  const path = plainPath(name);
  checkTarget(link, path);
  return { kind: 'link', path, target: link };
}

function directoryEntry({ name, link, size }: Described): Entry {
  if (link !== '') throw malformed(`the directory ${quoted(name)} has a link target`);
  if (size !== 0) throw malformed(`the directory ${quoted(name)} has a body`);
  return { kind: 'directory', path: directoryPath(name) };
}

function refusedType({ type, name }: Described): Error {
  const what = REFUSED[type];
  if (what === undefined) return unsupported(`${quoted(name)} is of the unknown type ${quoted(type)}`, '');
  const advice = type === '1' ? 'Pack with `tar --hard-dereference`.' : type === 'S' ? 'Pack without --sparse.' : '';
  return unsafe(`${quoted(name)} is ${what}`, advice);
}
