/** Archives for tests: real tools where they can make them, blocks by hand where no tool would. */
import { execFile } from 'node:child_process';
import { lstat, readFile, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const run = promisify(execFile);
export const fixtures = new URL('../../fixtures/tar/', import.meta.url).pathname;
/** More than any test archive has. */
export const PLENTY = { entries: 1_000_000, unpackedSize: 2 ** 40 };
export const END = Buffer.alloc(1024);

export interface Row {
  readonly file: string;
  readonly expect: 'accept' | 'reject' | 'normalise' | 'either';
  readonly note: string;
}

export async function corpus(): Promise<Row[]> {
  return JSON.parse(await readFile(`${fixtures}EXPECT.json`, 'utf8')) as Row[];
}

export interface HeaderFields {
  readonly name: string | Buffer;
  readonly type?: string;
  readonly link?: string;
  readonly mode?: string;
  readonly size?: number;
}

/** One ustar header with a right checksum. */
export function header({ name, type = '0', link = '', mode = '0000644', size = 0 }: HeaderFields): Buffer {
  const block = Buffer.alloc(512);
  block.write(`${mode}\0`, 100, 'latin1');
  for (const at of [108, 116]) block.write('0000000\0', at, 'latin1');
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  block.write('00000000000\0', 136, 'latin1');
  block.write(type, 156, 'latin1');
  Buffer.from(name).copy(block, 0, 0, 100);
  block.write(link, 157, 100, 'utf8');
  block.write('ustar\x0000', 257, 'latin1');
  return summed(block);
}

/** Writes the checksum of a header into it. */
export function summed(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

export function padded(body: string | Buffer): Buffer {
  const bytes = Buffer.from(body);
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

export function file(name: string, body = '', mode?: string): Buffer {
  const size = Buffer.byteLength(body);
  return Buffer.concat([header({ name, size, ...(mode === undefined ? {} : { mode }) }), padded(body)]);
}

export function directory(name: string): Buffer {
  return header({ name, type: '5', mode: '0000755' });
}

export function link(name: string, target: string): Buffer {
  return header({ name, type: '2', link: target, mode: '0000777' });
}

export function extension(type: string, body: string | Buffer): Buffer {
  return Buffer.concat([header({ name: '././@Ext', type, size: Buffer.byteLength(body) }), padded(body)]);
}

export function pax(records: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`);
    const digits = String(rest + String(rest).length).length;
    return `${rest + digits} ${key}=${value}\n`;
  });
  return extension('x', lines.join(''));
}

export function archive(...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([...parts, END]);
}

/** Every path under `root`, sorted, with type, mode, owner and content or target: equal for equal trees. */
export async function treeOf(root: string, below = ''): Promise<string[]> {
  const lines: string[] = [];
  for (const name of (await readdir(join(root, below))).sort()) {
    const path = join(below, name);
    const stats = await lstat(join(root, path));
    const mode = (stats.mode & 0o7777).toString(8);
    if (stats.isSymbolicLink()) lines.push(`${path} -> ${await readlink(join(root, path))}`);
    else if (stats.isDirectory()) lines.push(`${path}/ ${mode}`, ...(await treeOf(root, path)));
    else lines.push(`${path} ${mode} ${await readFile(join(root, path), 'utf8')}`);
  }
  return lines;
}
