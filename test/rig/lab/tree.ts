import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What demod.mjs does; numbers are milliseconds after its start. */
export type Behaviour =
  | 'good'
  /** Never answers a request. */
  | 'hang'
  /** Answers 500. */
  | 'sick'
  | `late ${number}`
  | 'flap'
  | `crash ${number}`
  | `quit ${number}`
  | `abort ${number}`
  /** Ignores SIGTERM. */
  | 'deaf'
  /** Exits 1 on SIGTERM. */
  | 'sulky'
  /** Runs, and listens to nothing. */
  | 'silent'
  /** Is staged as what it should be, and says another version once it is current. */
  | 'liar'
  /** Never answers the question for its version. */
  | 'mute'
  /** Cannot be executed. */
  | 'broken';

/** Makes a version directory of the daemon at `directory`. */
export async function makeTree(directory: string, version: string, behaviour: Behaviour): Promise<string> {
  await mkdir(join(directory, 'bin'), { recursive: true });
  await mkdir(join(directory, 'share'), { recursive: true });
  await copyFile(join(import.meta.dirname, 'demod.mjs'), join(directory, 'share', 'demod.mjs'));
  await writeFile(join(directory, 'share', 'behaviour'), behaviour);
  await writeFile(join(directory, 'share', 'version'), version);
  await writeFile(join(directory, 'bin', 'demod'), launcher(behaviour));
  await chmod(join(directory, 'bin', 'demod'), 0o755);
  return directory;
}

/** `--daemon PIDFILE` starts it in the background, as a unit of Type=forking expects it. */
function launcher(behaviour: Behaviour): string {
  const lie = behaviour === 'liar' ? 'case $0 in */current/*) echo "demod 0.0.1"; exit;; esac;' : '';
  const ask = behaviour === 'mute' ? 'exec sleep 600;' : '';
  const run = behaviour === 'broken' ? 'exit 203' : 'exec /usr/lib/node-autoupdate/node "$share/demod.mjs"';
  return `#!/bin/sh
share=$(dirname "$(readlink -f "$0")")/../share
case \${1-} in --version) ${ask}${lie} echo "demod $(cat "$share/version")"; exit;; esac
if [ "\${1-}" = --daemon ]; then
  (${run}) &
  echo $! >"$2"
  exit
fi
${run}
`;
}
