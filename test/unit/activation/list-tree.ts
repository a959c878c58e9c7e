import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { walkOrder, type Listed } from '../../../src/listing.ts';

/** What is below a directory, as who made it would list it. */
export function listTree(root: string): Listed[] {
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort(walkOrder);
  return paths.map((path): Listed => {
    const stats = lstatSync(`${root}/${path}`);
    const mode = stats.mode & 0o7777;
    if (stats.isSymbolicLink()) return { kind: 'link', path, target: readlinkSync(`${root}/${path}`) };
    if (stats.isDirectory()) return { kind: 'directory', path, mode };
    return { kind: 'file', path, mode, size: stats.size, crc32: crc32(readFileSync(`${root}/${path}`)) };
  });
}
