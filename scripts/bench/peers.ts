/** What people type today to bring a release onto a host, as a shell script in a directory of its own. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freshDisk } from './disk.ts';
import { measure, type Cost } from './measure.ts';
import type { Release } from './releases.ts';

export interface PeerPlace {
  readonly work: string;
  readonly keyring: string;
  readonly origin: string;
}

const BRING = 'curl -sSf -o a "$url"; curl -sSf -o a.asc "$url.asc"; gpgv -q --keyring "$keyring" a.asc a';
const UNPACK = 'mkdir tree; tar -xf a -C tree';

/** Each after `url`, `keyring` and `sha256` are set. */
const PEERS = {
  plain: [BRING, UNPACK],
  durable: [BRING, UNPACK, 'sync -f tree'],
  /** What standard tools need for what our steps do: signed digest, all headers before anything has a name, a listing with checksums. */
  'as careful': [
    BRING,
    'echo "$sha256  a" | sha256sum -c --quiet',
    'tar -tvf a > headers',
    UNPACK,
    'find tree -type f -print0 | xargs -0 cksum > listing',
    'sync -f tree',
  ],
} as const;

export type Peer = keyof typeof PEERS;

export async function peer(name: Peer, release: Release, { work, keyring, origin }: PeerPlace): Promise<Cost> {
  await using disk = await freshDisk(work);
  const url = `${origin}/${release.version}/${release.archive.split('/').at(-1) ?? ''}`;
  const file = join(work, 'peer.sh');
  const given = [`url=${url}`, `keyring=${keyring}`, `sha256=${release.digest}`];
  writeFileSync(file, ['set -e', `cd ${disk.directory}`, ...given, ...PEERS[name], ''].join('\n'));
  return await measure(['sh', file]);
}
