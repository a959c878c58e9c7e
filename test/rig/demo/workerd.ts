/**
 * Two releases of workerd, the HTTP server that runs JavaScript, as the npm registry has them. Each is downloaded once
 * and kept beside the rig's root file systems; what is kept is checked again at every use.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun } from '../container/process.ts';

export interface Pin {
  /** What `workerd --version` says. */
  readonly version: string;
  readonly npm: string;
  /** By architecture, as package-lock.json would state it. */
  readonly integrity: Readonly<Record<Architecture, string>>;
}

export type Architecture = 'x64' | 'arm64';

export const OLDER: Pin = {
  version: '2026-11-10',
  npm: '1.20261110.1',
  integrity: {
    x64: 'sha512-i4080Pp6Q0nwS8OMqt3cbpJoWvbCrIlFKa+4Inbn+y2pWKTVsq6F9bgdi0l8CBZPMszd03gDlQR++dqMbErh2Q==',
    arm64: 'sha512-0l+JyYWOhEzTs7yOkIdf1ZzcXd9WalPZ1kD0bBAobFvDhO/1jBnQkS4rzzyUkGV7g8pb3dkfrBP9c2ZiRLOfdw==',
  },
};

export const NEWER: Pin = {
  version: '2026-11-17',
  npm: '1.20261117.1',
  integrity: {
    x64: 'sha512-gZLA8X11m/luZwn+YA3+mDu61vdxNJzpksP/QZqjydKTQ+VUCulsK5gtn9Bqst1p3KJu2kafQpJ1nDQv4B23jA==',
    arm64: 'sha512-gxWngFojq41ULKNKb9rpWYvKotN5hT2I/xot+Bpy31cXzrwcTgtDLSMb2t75sW5BJxH7hihFvikgYb577kB3Zg==',
  },
};

const CACHE = join(process.env['NODE_UPDATER_TEST_CACHE'] ?? '/var/cache/node-autoupdate-rig', 'npm');

export interface Tarball {
  readonly file: string;
  /** `name@version`, as npm takes it. */
  readonly spec: string;
  readonly integrity: string;
  readonly from: 'cache' | 'registry';
}

/** Throws when npm cannot get it, and when it is not what is pinned here. */
export async function tarballOf(pin: Pin): Promise<Tarball> {
  const arch = architecture();
  const integrity = pin.integrity[arch];
  const name = `@cloudflare/workerd-linux-${arch === 'x64' ? '64' : 'arm64'}`;
  const spec = `${name}@${pin.npm}`;
  const file = join(CACHE, `${name.replace(/^@(.*)\//, '$1-')}-${pin.npm}.tgz`);
  if ((await integrityOf(file)) === integrity) return { file, spec, integrity, from: 'cache' };
  await download(spec, integrity, file);
  return { file, spec, integrity, from: 'registry' };
}

/** Puts the program of a tarball at `place`. */
export async function extractProgram(tarball: string, place: string): Promise<void> {
  await mkdir(place, { recursive: true });
  await mustRun([
    'tar',
    '-xzf',
    tarball,
    '-C',
    place,
    '--no-same-owner',
    '--strip-components=2',
    'package/bin/workerd',
  ]);
}

async function download(spec: string, integrity: string, file: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const directory = await mkdtemp(join(CACHE, '.new-'));
  try {
    const packed = await mustRun([
      ...['timeout', '300', 'npm', 'pack', spec, '--json', '--loglevel=error', '--pack-destination', directory],
      // Not the directory of the project: its own settings for npm are not this download's business.
      ...['--prefix', directory],
    ]);
    const [{ filename } = { filename: '' }] = JSON.parse(packed) as { filename: string }[];
    const got = await integrityOf(join(directory, filename));
    if (got !== integrity) throw new Error(`${spec} is ${got ?? 'missing'}, pinned is ${integrity}`);
    await rename(join(directory, filename), file);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function integrityOf(file: string): Promise<string | undefined> {
  try {
    return `sha512-${createHash('sha512')
      .update(await readFile(file))
      .digest('base64')}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function architecture(): Architecture {
  if (process.arch === 'x64' || process.arch === 'arm64') return process.arch;
  throw new Error(`workerd is released for x64 and arm64, not for ${process.arch}`);
}
