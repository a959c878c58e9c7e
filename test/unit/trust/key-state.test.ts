import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readCertificates } from '../../../src/trust/certificate.ts';
import { certificatesOf, keySetText } from '../../../src/trust/key-set.ts';
import { nextKeyState, trustedSet } from '../../../src/trust/key-state.ts';
import { makeKeyAt, setOf } from './key-chain.ts';
import { realGpg, scratch } from './support.ts';

it('a key that the operator knows to be revoked stays so, though a key set holds it without that', async () => {
  await using place = await scratch();
  await using gpg = await realGpg(place.path);
  const key = await makeKeyAt(gpg, 'key', '2024-01-01T00:00:00Z');
  const { fingerprint } = key.certificate;
  const set = setOf({ number: 2, keys: [key], at: '2025-01-01T00:00:00Z' });
  const trust = { keySet: 1, threshold: 1, keys: [{ file: '/key', fingerprint }] };
  const state = nextKeyState({ set, text: keySetText(set), keys: certificatesOf(set) }, undefined, trust, 0);
  expect(trustedSet(state, trust, [key.certificate]).keys).toEqual([key.certificate]);

  const file = join(gpg.home, 'openpgp-revocs.d', `${fingerprint}.rev`);
  await writeFile(file, (await readFile(file, 'utf8')).replace(':-----BEGIN', '-----BEGIN'));
  await gpg('--import', file);
  const revoked = readCertificates(await gpg('--export', fingerprint));
  expect(trustedSet(state, trust, revoked).keys).toEqual(revoked);
  expect(trustedSet(state, { ...trust, threshold: 2 }, revoked)).toMatchObject({ number: 1, threshold: 2 });
});
