/** The publisher's desk: a directory with a key of its own in a throwaway GNUPGHOME, and the commands that he types in it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ended, isUp, run } from '../container/process.ts';
import type { Screen, Typed } from './screen.ts';

export interface Desk extends AsyncDisposable {
  /** Where he types. */
  readonly directory: string;
  /** A command that must work; `$CDN` is where his site is served from. */
  type(line: string): Promise<Typed>;
}

const PROJECT = join(import.meta.dirname, '..', '..', '..');

/** Ends the key's gpg-agent and removes everything at dispose. */
export async function makeDesk(screen: Screen, cdn: string): Promise<Desk> {
  const root = await mkdtemp(join(tmpdir(), 'demo-'));
  const directory = join(root, 'publisher');
  const gnupg = join(root, 'gnupg');
  await mkdir(directory);
  await mkdir(gnupg, { mode: 0o700 });
  const bin = join(root, 'bin');
  const env = {
    PATH: `${bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: directory,
    GNUPGHOME: gnupg,
    LC_ALL: 'C.UTF-8',
    CDN: cdn,
  };
  await installCommand(bin);
  const running = new Set<ChildProcess>();
  return {
    directory,
    async type(line) {
      const child = spawn('timeout', ['120', 'sh', '-c', `exec 2>&1\n${line}`], {
        ...{ cwd: directory, env },
        stdio: ['ignore', 'pipe', 'inherit'],
        // A process group of its own, which can be ended whole: what goes on writing would keep the directory alive.
        detached: true,
      });
      running.add(child);
      child.once('exit', () => running.delete(child));
      const typed = await screen.type('publisher$', line, child);
      if (typed.status !== 0) throw new Error(`the publisher's command failed: ${line}`);
      return typed;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...running].map(endGroup));
      await run(['env', `GNUPGHOME=${gnupg}`, 'gpgconf', '--kill', 'all']);
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function endGroup(child: ChildProcess): Promise<void> {
  const gone = ended(child);
  if (child.pid !== undefined && isUp(child)) process.kill(-child.pid, 'SIGKILL');
  await gone;
}

/** `node-updater` as the package installs it: the same bundle on the same Node. */
async function installCommand(bin: string): Promise<void> {
  const command = join(bin, 'node-updater');
  await mkdir(bin);
  await writeFile(command, `#!/bin/sh\nexec '${PROJECT}/scripts/node' '${PROJECT}/dist/lib/main.mjs' "$@"\n`);
  await chmod(command, 0o755);
}
