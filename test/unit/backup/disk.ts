/** A file system of its own in a file, mounted in a mount namespace of its own: gone with the test, whatever happens. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { run } from '../../../src/host/run.ts';
import type { BackupSettings } from '../../../src/settings.ts';
import type { Job, Work } from './worker.ts';

export type FileSystem = 'ext4' | 'xfs' | 'btrfs';

const MAKE: Readonly<Record<FileSystem, string>> = {
  ext4: 'mkfs.ext4 -q -F',
  xfs: 'mkfs.xfs -q -f',
  btrfs: 'mkfs.btrfs -q -f',
};

export interface Answer {
  readonly value?: unknown;
  readonly code?: string;
  readonly message?: string;
  readonly log: readonly string[];
}

export interface Disk extends AsyncDisposable {
  /** Where the file system is mounted. */
  readonly root: string;
  /** Runs a script (`sh -eu`) beside it; its output. Throws when it fails. */
  sh(script: string): Promise<string>;
  /** Has worker.ts do it. `prefix`: what starts it, such as strace. Undefined when it was killed. */
  work(work: Work, settings?: Partial<BackupSettings>, prefix?: readonly string[]): Promise<Answer | undefined>;
}

const WORKER = [join(import.meta.dirname, '../../../scripts/node'), join(import.meta.dirname, 'worker.ts')];

/** Undefined, with a line that says why, where the kernel does not know the file system. */
export async function makeDisk(type: FileSystem, megabytes = 320, options = ''): Promise<Disk | undefined> {
  const home = await mkdtemp(join(tmpdir(), 'backup-'));
  const root = join(home, 'disk');
  await mkdir(root);
  const image = join(home, 'image');
  const script = `truncate -s ${megabytes}M ${image}
${MAKE[type]} ${options} ${image} >/dev/null 2>&1 || { echo "no ${type}: mkfs failed"; exit; }
mount -o loop ${image} ${root} 2>/dev/null || { echo "no ${type}: the kernel does not mount it"; exit; }
echo ready; exec cat >/dev/null`;
  const keeper = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const gone = once(keeper, 'exit').then(() => [Buffer.from('no mount namespace: are we root?')]);
  const [first] = (await Promise.race([once(keeper.stdout, 'data'), gone])) as [Buffer];
  const dispose = async (): Promise<void> => {
    keeper.stdin.end();
    await gone;
    await rm(home, { recursive: true });
  };
  if (!first.toString().startsWith('ready')) {
    console.warn(`skipped: ${first.toString().trim()}`);
    await dispose();
    return undefined;
  }
  const inside = ['nsenter', '--target', String(keeper.pid), '--mount', '--'];
  const base: BackupSettings = {
    paths: [`${root}/data`],
    exclude: [],
    neverRestore: [],
    directory: `${root}/backups`,
    keep: 3,
    method: 'auto',
  };
  let standing: ReturnType<typeof standingWorker> | undefined;
  return {
    root,
    async sh(text) {
      const result = await run([...inside, 'sh', '-euc', text], { env: environment(root) });
      if (result.status === 0) return result.stdout.toString('latin1').trimEnd();
      throw new Error(`${text}: ${result.stderr.toString()}`);
    },
    async work(work, settings = {}, prefix = []) {
      const job: Job = { state: `${root}/state`, settings: { ...base, ...settings }, work };
      if (prefix.length === 0) return (standing ??= standingWorker(inside, root)).ask(job);
      const command = [...inside, ...prefix, ...WORKER];
      const result = await run(command, { env: environment(root), timeout: 120_000, input: JSON.stringify(job) });
      if (result.signal !== undefined || (result.status ?? 0) > 128) return undefined;
      if (result.status === 0) return JSON.parse(result.stdout.toString()) as Answer;
      throw new Error(result.stderr.toString());
    },
    async [Symbol.asyncDispose]() {
      await standing?.end();
      await dispose();
    },
  };
}

/** One process for all orders that need none of their own. */
function standingWorker(inside: readonly string[], root: string) {
  const [program = '', ...args] = [...inside, ...WORKER];
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env: environment(root) });
  const ended = once(child, 'exit');
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    async ask(job: Job): Promise<Answer> {
      child.stdin.write(`${JSON.stringify(job)}\n`);
      const { value } = await lines.next();
      return JSON.parse(value ?? '{}') as Answer;
    },
    async end(): Promise<void> {
      child.stdin.end();
      await ended;
    },
  };
}

function environment(root: string): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8', D: root, UV_THREADPOOL_SIZE: '1' };
}

/** Data with everything that a copy can lose. */
export const FILL = `mkdir -p $D/data/sub/deep $D/data/empty $D/data/cache
cd $D/data
head -c 300000 /dev/urandom >big; echo small >sub/small; ln big sub/other-name; ln sub/small sub/deep/third
truncate -s 20M holes; echo tail >>holes
printf x >"$(printf 'odd\\377name\\n2')"; touch -- '-rf' ' blank' 'ü'
ln -s ../nowhere link; ln -s sub dirlink
chown 1234:2345 big sub; chown -h 1234:2345 link; chmod 2750 sub; chmod 4711 sub/small; chmod 0 empty; chmod 1777 cache
setfacl -m u:4321:rw- big; setfacl -d -m g:99:r-x sub; setfattr -n user.note -v hello sub/small; setfattr -n user.dir -v d sub
touch -d '2001-02-03 04:05:06.123456789' sub/small sub; touch -h -d 1999-01-01 link
echo junk >cache/junk; mkfifo sub/fifo
perl -MSocket -e 'socket(S,AF_UNIX,SOCK_STREAM,0); bind(S,sockaddr_un("sub/sock")) or die'
touch -d '2011-01-01 00:00:00.5' sub $D/data; sync -f $D`;

/** What find -ls, getfacl and getfattr say of a tree, without sockets and FIFOs; nor what a directory takes on the disk. */
export function look(directory: string, but = ''): string {
  const keep = `! -type s ! -type p ${but}`;
  return `cd ${directory}; sync -f .
find . ${keep} -type d -printf '%P %y %m %U %G %T@\\n' | LC_ALL=C sort
find . ${keep} ! -type d -printf '%P %y %m %U %G %s %T@ %l %n %b\\n' | LC_ALL=C sort
find . ${keep} ! -type l -print0 | LC_ALL=C sort -z | xargs -0 getfacl -npa
find . ${keep} ! -type l -print0 | LC_ALL=C sort -z | xargs -0 getfacl -npd
find . ${keep} -print0 | LC_ALL=C sort -z | xargs -0 getfattr -h -d -m - -e hex
find . ${keep} -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum`;
}
