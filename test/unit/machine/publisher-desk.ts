/** A publisher's desk: keys, which are dear to make and so stay for all tests of a file, and what they sign for mirrors. */
import { makeKeyAt, setOf, signedSet, signText, type MadeKey } from '../trust/key-chain.ts';
import { realGpg, scratch, type Gpg } from '../trust/support.ts';
import type { Mirror } from './source-rig.ts';

export interface Desk extends AsyncDisposable {
  readonly path: string;
  readonly gpg: Gpg;
  /** A key that was made at a time in the past, for a life as gpg takes it. */
  key(user: string, at?: string, life?: string): Promise<MadeKey>;
  /** Puts a manifest that is signed now in its place. */
  offer(mirror: Mirror, text: string, ...signers: readonly MadeKey[]): Promise<void>;
  publishSet(
    mirror: Mirror,
    number: number,
    keys: readonly MadeKey[],
    by: readonly MadeKey[],
    at?: string,
    expires?: string,
  ): Promise<void>;
}

export async function openDesk(): Promise<Desk> {
  const place = await scratch();
  const gpg = await realGpg(place.path);
  return {
    path: place.path,
    gpg,
    key: (user, at = '2024-01-01T00:00:00Z', life) => makeKeyAt(gpg, user, at, life),
    offer: async (mirror, text, ...signers) => {
      await mirror.put('manifest.json', await signText(gpg, text, signers, new Date().toISOString()));
    },
    publishSet: async (mirror, number, keys, by, at = '2026-01-01T00:00:00Z', expires = '2030-01-01T00:00:00Z') => {
      await mirror.put(`keys/${number}.json`, await signedSet(gpg, setOf({ number, keys, at, expires }), by));
    },
    [Symbol.asyncDispose]: async () => {
      await gpg[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
}
