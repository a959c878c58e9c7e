import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCertificates } from '../../../src/trust/certificate.ts';
import type { Certificate } from '../../../src/trust/certificate.ts';
import { describeKey } from '../../../src/trust/openpgp.ts';
import { signersOf } from '../../../src/trust/verdict.ts';
import { judgeBlock } from '../../../src/trust/verify.ts';
import { CORPUS_NOW, depsIn, fixtures, scratch } from './support.ts';

const rnp = new URL('../../fixtures/openpgp-upstream/rnp/', import.meta.url).pathname;
const own = join(fixtures, 'keys');
const forged = join(rnp, 'forged-keys');
const inline = ['A.6.-sample-cleartext-signed-message.asc', 'A.7.-sample-inline-signed-message.asc'];
const messages = [
  ...(await readdir(join(rnp, 'messages'))).map((name) => join(rnp, 'messages', name)),
  ...inline.map((name) => join(rnp, 'rfc9580', name)),
];

/** Keys that may sign now, by what they are themselves; all others of the two directories may not. */
const GOOD = [
  'attacker-same-uid',
  'release-a',
  'release-b',
  'release-r',
  'uid-injection',
  'ecc-25519-pub',
  // The primary key of these signs; what was forged or has expired is a subkey that does not.
  'ecc-p256-pub',
  'ecc-p256-pub-expired-subkey',
  'ecc-p256-pub-forged-subkey',
  'ecc-p256-pub-no-binding',
];
const EXPIRED = ['expired', 'expired-later', 'ecc-p256-pub-expired-key'];
const REVOKED = ['revoked-compromised', 'revoked-superseded'];

const files = [
  ...(await readdir(own)).filter((name) => !name.startsWith('all-')).map((name) => join(own, name)),
  ...(await readdir(forged)).map((name) => join(forged, name)),
];

function stateOf(file: string): string {
  const name = (file.split('/').at(-1) ?? '').replace(/\.(asc|gpg|pgp)$/, '');
  if (GOOD.includes(name)) return 'good';
  if (EXPIRED.includes(name)) return 'expired';
  return REVOKED.includes(name) ? 'revoked' : 'unusable';
}

async function certificatesIn(file: string): Promise<readonly Certificate[]> {
  return readCertificates(await readFile(file));
}

describe('describeKey', () => {
  it.each(files.map((file) => [file.split('/').at(-1) ?? '', file]))('says of %s what it is worth', async (_, file) => {
    const [certificate, ...more] = await certificatesIn(file);
    if (certificate === undefined) throw new Error('no key');
    expect(more).toEqual([]);
    const facts = await describeKey(certificate, CORPUS_NOW);
    expect(facts.state, facts.problem).toBe(stateOf(file));
    expect(facts.problem === undefined).toBe(facts.state === 'good');
  });

  it('knows a key of version 6 by its fingerprint of 64 digits', async () => {
    const [certificate] = await certificatesIn(join(rnp, 'rfc9580', 'A.3.transferable-pubkey-v6.asc'));
    expect(certificate?.fingerprint).toBe('CB186C4F0609A697E4D52DFA6C722B0C1F1E27C18A56708F6525EC27BAD9ACC9');
  });

  it('says one printable line of a key whose name tries to be more', async () => {
    const [certificate] = await certificatesIn(join(own, 'uid-injection.asc'));
    if (certificate === undefined) throw new Error('no key');
    for (const userId of (await describeKey(certificate, CORPUS_NOW)).userIds) expect(userId).toMatch(/^[\x20-\x7e]*$/);
  });
});

describe('messages of other kinds, malformed ones, and those by keys that are too weak', () => {
  it.each(messages.map((file) => [file.split('/').at(-1) ?? '', file]))(
    '%s counts for nobody, as it is or armoured [F039]',
    async (_, file) => {
      await using directory = await scratch();
      const keys = await certificatesIn(join(rnp, 'messages', 'keyring1-pubring.gpg'));
      const bytes = await readFile(file);
      const base64 = bytes.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
      const armoured = Buffer.from(`-----BEGIN PGP SIGNATURE-----\n\n${base64}\n-----END PGP SIGNATURE-----\n`);
      for (const name of ['message.txt', 'message-trailing-cr.txt']) {
        const document = await readFile(join(rnp, 'messages', name));
        for (const block of [bytes, armoured]) {
          expect(signersOf(await judgeBlock(document, block, 16, keys, depsIn(directory.path)))).toEqual([]);
        }
      }
    },
  );
});
