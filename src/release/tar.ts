/**
 * Writes the headers of an archive: POSIX ustar, with a pax header where ustar has no room. The same entry gives the same
 * bytes on every host: owner 0:0 without names, modes 0755 and 0644, one time for all.
 */
import type { TreeEntry } from './tree.ts';

const BLOCK = 512;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
/** Eleven octal digits: the largest size that ustar can say. */
const USTAR_SIZE = 0o77777777777;

export const END_OF_ARCHIVE: Buffer = Buffer.alloc(2 * BLOCK);

interface HeaderFields {
  readonly name: string;
  readonly prefix: string;
  readonly mode: number;
  readonly size: number;
  readonly mtime: number;
  readonly type: '0' | '2' | '5' | 'x';
  readonly linkname: string;
}

/** The blocks that stand before an entry's content. `mtime` in whole seconds since the epoch. */
export function tarHeader(entry: TreeEntry, mtime: number): Buffer {
  const path = entry.type === 'directory' ? `${entry.path}/` : entry.path;
  const linkname = entry.type === 'link' ? entry.target : '';
  const size = entry.type === 'file' ? entry.size : 0;
  const names = splitPath(path);
  const records = [
    ...(names === undefined ? [paxRecord('path', path)] : []),
    ...(fits(linkname, NAME_BYTES) ? [] : [paxRecord('linkpath', linkname)]),
    ...(size > USTAR_SIZE ? [paxRecord('size', String(size))] : []),
  ];
  const header = headerBlock({
    ...(names ?? { name: placeholder(path), prefix: '' }),
    mode: entry.type === 'file' ? entry.mode : entry.type === 'link' ? 0o777 : 0o755,
    size: size > USTAR_SIZE ? 0 : size,
    mtime,
    type: entry.type === 'file' ? '0' : entry.type === 'link' ? '2' : '5',
    linkname: fits(linkname, NAME_BYTES) ? linkname : placeholder(linkname),
  });
  return records.length === 0 ? header : Buffer.concat([paxHeader(records, mtime), header]);
}

/** Zero bytes that fill the last block of a content of `size` bytes. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

function paxHeader(records: readonly string[], mtime: number): Buffer {
  const body = Buffer.from(records.join(''));
  const header = headerBlock({
    name: 'PaxHeaders/entry',
    prefix: '',
    mode: 0o644,
    size: body.length,
    mtime,
    type: 'x',
    linkname: '',
  });
  return Buffer.concat([header, body, tarPadding(body.length)]);
}

/** `LENGTH key=value\n`, where LENGTH counts its own digits too. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/** ustar keeps a long path as prefix and name, cut at a slash. Names beyond ASCII go to pax, which says they are UTF-8. */
function splitPath(path: string): { readonly name: string; readonly prefix: string } | undefined {
  if (fits(path, NAME_BYTES)) return { name: path, prefix: '' };
  const cut = path.lastIndexOf('/', PREFIX_BYTES);
  if (cut <= 0 || cut === path.length - 1) return undefined;
  const [prefix, name] = [path.slice(0, cut), path.slice(cut + 1)];
  return fits(name, NAME_BYTES) && fits(prefix, PREFIX_BYTES) ? { name, prefix } : undefined;
}

function fits(text: string, bytes: number): boolean {
  return text.length <= bytes && isAscii(text);
}

function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}

/** What a reader without pax sees in place of a name: harmless, and the same kind (a directory keeps its slash). */
function placeholder(text: string): string {
  const plain = text.replace(/[^\x20-\x7e]/g, '_');
  return plain.length <= NAME_BYTES ? plain : plain.slice(0, NAME_BYTES - 1) + (plain.endsWith('/') ? '/' : '_');
}

function headerBlock(fields: HeaderFields): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(fields.name, 0);
  block.write(octal(fields.mode, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(fields.size, 12), 124);
  block.write(octal(fields.mtime, 12), 136);
  block.fill(' ', 148, 156);
  block.write(fields.type, 156);
  block.write(fields.linkname, 157);
  block.write('ustar\0' + '00', 257);
  block.write(octal(0, 8), 329);
  block.write(octal(0, 8), 337);
  block.write(fields.prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`;
}
