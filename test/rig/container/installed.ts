/**
 * Containers with the built package in them. It is only ever installed as an operator does, by apt from the .deb; but
 * apt takes seconds, so a test that is not about the installation boots from a layer that holds its result.
 */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { bootContainer, rootFileSystem, type BootOptions, type Container } from './container.ts';
import { mustRun } from './process.ts';

const DIST = join(import.meta.dirname, '../../../dist');

/** The .deb that `npm run build:deb` left in dist/. */
export async function builtPackage(): Promise<string> {
  const names = await readdir(DIST);
  const found = names.filter((name) => /^node-autoupdate_[^_]+_[^_]+\.deb$/.test(name));
  if (found.length !== 1) throw new Error(`dist/ holds ${found.length} packages, wanted one. Type: npm run build:deb`);
  return join(DIST, String(found[0]));
}

/** `apt install ./node-autoupdate_*.deb` in a container that has no network. */
export async function installPackage(host: Container): Promise<void> {
  const deb = await builtPackage();
  const name = basename(deb);
  await host.push(deb, `/root/${name}`);
  await host.sh(`cd /root && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet ./${name}`, { timeout: 300 });
  await host.sh(`rm /root/${name}`);
}

/** Boots a host on which the package is installed and everything of it that is enabled is running. */
export async function bootInstalled(options: BootOptions = {}): Promise<Container> {
  return bootContainer({ ...options, layers: [...(options.layers ?? []), await installedLayer()] });
}

/** The layer with the result of installing the built package: made once for each .deb and kept beside the root. */
export async function installedLayer(): Promise<string> {
  const root = await rootFileSystem();
  const digest = (await mustRun(['sha256sum', await builtPackage()])).slice(0, 16);
  const layer = `${root.replace('/root-', '/installed-')}-${digest}`;
  if (await isDirectory(layer)) return layer;
  await using host = await bootContainer();
  await installPackage(host);
  await host.powerOff();
  await mustRun([join(import.meta.dirname, 'save-layer'), host.changes, layer]);
  return layer;
}

async function isDirectory(path: string): Promise<boolean> {
  const parent = await readdir(join(path, '..'));
  return parent.includes(basename(path));
}
