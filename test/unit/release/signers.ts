/** Two signers with a GNUPGHOME each, as on two machines, and a directory that they publish together. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { durableFiles } from '../../../src/host/files.ts';
import { run } from '../../../src/host/run.ts';
import { requestPublication } from '../../../src/release/publish.ts';
import type { PublishOptions, SignDeps } from '../../../src/release/publish.ts';
import { requestText } from '../../../src/release/request.ts';
import { signRelease } from '../../../src/release/sign.ts';
import type { TrustedKey } from '../../../src/settings.ts';
import { makeGpgHome, makeKey, makePublisher } from '../../rig/publisher.ts';
import type { Publisher } from '../../rig/publisher.ts';

const DAY = 24 * 60 * 60 * 1000;
export const files = durableFiles(run);

export interface Signer {
  readonly key: TrustedKey;
  readonly deps: SignDeps;
}

export interface Signers extends AsyncDisposable {
  readonly root: string;
  readonly site: string;
  readonly alice: Signer;
  readonly bob: Signer;
  /** A signer more, on a machine of his own. */
  readonly signer: (name: string) => Promise<Signer>;
  /** Builds a release whose archive alice signs. Gives its description. */
  readonly build: (version: string) => Promise<string>;
  readonly options: (releases: readonly string[], more?: Partial<PublishOptions>) => PublishOptions;
  /** A request that alice signed, for what `options` say. Gives its path. */
  readonly request: (releases: readonly string[], more?: Partial<PublishOptions>) => Promise<string>;
}

export async function makeSigners(): Promise<Signers> {
  const publisher = await makePublisher();
  const { root, site, gpgv } = publisher;
  const ends: (() => Promise<void>)[] = [];
  const signer = async (name: string): Promise<Signer> => {
    const { gpg, dispose } = await makeGpgHome(join(root, name));
    ends.push(dispose);
    const key = await makeKey(gpg, `${name} <${name}@example.org>`, join(root, `${name}.asc`));
    return { key, deps: { gpg, files, gpgv, now: Date.now } };
  };
  const [alice, bob] = [await signer('alice'), await signer('bob')];
  const options: Signers['options'] = (releases, more = {}) => {
    const signers = [alice.key.fingerprint];
    const fixed = { directory: site, signers, otherKeys: [bob.key], mirrors: [], keep: 10 };
    return { ...fixed, name: 'demo', expires: Date.now() + 30 * DAY, releases, ...more };
  };
  return {
    ...{ root, site, alice, bob, signer, options },
    build: (version) => buildBy(publisher, version, alice),
    request: async (releases, more) => {
      const { request } = await requestPublication(options(releases, more), alice.deps);
      const path = join(root, 'next.request');
      await writeFile(path, requestText(request));
      return path;
    },
    [Symbol.asyncDispose]: async () => {
      for (const end of ends) await end();
      await publisher[Symbol.asyncDispose]();
    },
  };
}

async function buildBy(publisher: Publisher, version: string, signer: Signer): Promise<string> {
  const tree = join(publisher.root, `tree-${version}`);
  await mkdir(join(tree, 'bin'), { recursive: true });
  await writeFile(join(tree, 'bin/demo'), `#!/bin/sh\necho ${version}\n`, { mode: 0o755 });
  const { archive, descriptionFile } = await publisher.build({ tree, version });
  await signRelease({ archive, signers: [signer.key.fingerprint] }, signer.deps.gpg, files);
  return descriptionFile;
}
