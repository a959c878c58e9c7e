/**
 * Bundles src/main.ts into dist/lib: ES modules in chunks, so that a command loads what it uses and no more (start-up
 * time), and dist/third-party.json: which npm packages are inside, for debian/copyright. Same input, same bytes.
 */
import { build as esbuild, type Metafile, type Plugin } from 'esbuild';
import { chmod, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

/**
 * Optional packages of dbus-next that are kept out. Requiring one throws, as if it were not installed, also on a host
 * where Node would find one of that name in /usr/lib/node_modules: as root we run no code that we did not ship.
 */
const leftOut: Plugin = {
  name: 'left-out',
  setup(build) {
    build.onResolve({ filter: /^(usocket|x11|abstract-socket)$/ }, ({ path }) => ({ path, namespace: 'left-out' }));
    build.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${path} is left out of this package`)});`,
    }));
  },
};

/** CommonJS packages call `require` for Node's own modules, which an ES module does not have. */
const banner = `import { createRequire as makeRequire } from 'node:module';
const require = makeRequire(import.meta.url);`;

async function bundle(outdir: string): Promise<Metafile> {
  const { metafile } = await esbuild({
    absWorkingDir: root,
    // openpgp is LGPL: a file of its own, under a name of its own and not minified, so that it can be replaced.
    entryPoints: { main: 'src/main.ts', openpgp: 'node_modules/openpgp/dist/node/openpgp.mjs' },
    outdir,
    outExtension: { '.js': '.mjs' },
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    banner: { js: banner },
    plugins: [leftOut],
    legalComments: 'inline',
    metafile: true,
    logLevel: 'warning',
  });
  return metafile;
}

interface ThirdParty {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** The text of its licence file, if it has one. */
  readonly text?: string;
}

type Licence = string | { readonly type: string };

/** The part of a package.json that we read; `{type}`, arrays and `licenses` are old ways to say it. */
interface PackageFacts {
  readonly name: string;
  readonly version: string;
  readonly license?: Licence | readonly Licence[];
  readonly licenses?: readonly Licence[];
}

async function thirdParty(metafile: Metafile): Promise<readonly ThirdParty[]> {
  const directories = new Set<string>();
  for (const path of Object.keys(metafile.inputs)) {
    const directory = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
    if (directory !== undefined) directories.add(directory);
  }
  return Promise.all([...directories].sort().map(describePackage));
}

async function describePackage(directory: string): Promise<ThirdParty> {
  const facts = JSON.parse(await readFile(join(root, directory, 'package.json'), 'utf8')) as PackageFacts;
  const files = await readdir(join(root, directory));
  const file = files.sort().find((name) => /^(licen[cs]e|copying)(\.|-|$)/i.test(name));
  const licences = [facts.license ?? [], facts.licenses ?? []].flat(2);
  return {
    name: facts.name,
    version: facts.version,
    license: licences.map((licence) => (typeof licence === 'string' ? licence : licence.type)).join(' OR '),
    ...(file === undefined ? {} : { text: await readFile(join(root, directory, file), 'utf8') }),
  };
}

await mkdir(dist, { recursive: true });
const fresh = await mkdtemp(join(dist, '.lib-'));
try {
  const metafile = await bundle(fresh);
  await writeFile(join(dist, 'third-party.json'), `${JSON.stringify(await thirdParty(metafile), undefined, 2)}\n`);
  await chmod(fresh, 0o755);
  await rm(join(dist, 'lib'), { recursive: true, force: true });
  await rename(fresh, join(dist, 'lib'));
} finally {
  await rm(fresh, { recursive: true, force: true });
}
