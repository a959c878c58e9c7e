/**
 * What npm's tar makes of the same header blocks. Two parsers written apart seldom misread a block in the same way, so an
 * archive is refused where they differ. Only its header and PAX classes are used: its Parser passes over bad headers with a
 * warning and holds an event emitter for each entry; its unpacking is not used (DESIGN.md section 10).
 */
import { Header } from 'tar/header';
import { Pax } from 'tar/pax';
import type { Extension, Found } from './cutter.ts';
import { malformed, quoted } from './refusal.ts';

const TYPES: Readonly<Record<string, readonly string[]>> = {
  '0': ['File', 'OldFile'],
  '2': ['SymbolicLink'],
  '5': ['Directory'],
};

export function confirm({ described, block, extensions }: Found): void {
  const pax = extended(extensions);
  const header = new Header(block, 0, pax);
  const same =
    header.cksumValid &&
    isSameName(header.path, described.name, pax) &&
    (pax?.linkpath ?? header.linkpath ?? '') === described.link && // Header knows the block's own, Pax the longer one
    header.size === described.size &&
    (TYPES[described.type] ?? []).includes(header.type);
  if (!same) throw malformed(`two tar readers do not agree on ${quoted(described.name)}`);
}

/**
 * tar 7.5.23 puts the header's prefix also before a name from an extended header, where POSIX replaces both; bsdtar
 * writes such headers for every name over 100 bytes. There the prefix is no disagreement.
 */
function isSameName(theirs: string | undefined, name: string, pax: Pax | undefined): boolean {
  if (theirs === name) return true;
  return pax?.path === name && theirs?.endsWith(`/${name}`) === true;
}

function extended(extensions: readonly Extension[]): Pax | undefined {
  let pax: Pax | undefined;
  for (const { type, body } of extensions) {
    const text = body.toString('utf8');
    if (type === 'x') pax = Pax.parse(text, pax);
    else pax = Object.assign(pax ?? new Pax({}), { [type === 'L' ? 'path' : 'linkpath']: text.replace(/\0.*/s, '') });
  }
  return pax;
}
