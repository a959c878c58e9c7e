/** What the publisher packs: the real program of workerd, a configuration, and for bad releases that daemon made bad. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * `crash`: answers for three seconds, then fills its memory until V8 aborts. `hang`: never comes back from a request.
 */
export type Behaviour = 'good' | 'crash' | 'hang';

/** Writes bin/workerd and share/config.capnp below `directory`; the program will call itself `version`. */
export async function makeTree(
  directory: string,
  program: { readonly file: string; readonly version: string },
  version: string,
  behaviour: Behaviour,
): Promise<void> {
  await mkdir(join(directory, 'bin'), { recursive: true });
  await mkdir(join(directory, 'share'), { recursive: true });
  const binary = join(directory, 'bin', 'workerd');
  await writeFile(binary, renumbered(await readFile(program.file), program.version, version));
  await chmod(binary, 0o755);
  await writeFile(join(directory, 'share', 'config.capnp'), configuration(version, behaviour));
}

/** The program's version stands in it as plain text; another of the same length leaves everything else in place. */
function renumbered(program: Buffer, from: string, to: string): Buffer {
  if (from.length !== to.length) throw new Error(`${to} is not as long as ${from}`);
  for (let at = program.indexOf(from); at !== -1; at = program.indexOf(from, at + 1)) program.write(to, at, 'latin1');
  return program;
}

const HANDLERS: Readonly<Record<Behaviour, readonly string[]>> = {
  good: [],
  crash: [
    'first ||= Date.now();',
    'if (Date.now() - first > 3000) for (const hoard = [];;) hoard.push(new Array(1000).fill(first));',
  ],
  hang: ['while (true) {}'],
};

function configuration(version: string, behaviour: Behaviour): string {
  const worker = [
    'let first = 0;',
    'export default {',
    '  async fetch() {',
    ...HANDLERS[behaviour].map((line) => `    ${line}`),
    `    return new Response("workerd ${version}\\n");`,
    '  }',
    '};',
  ];
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [ (name = "main", worker = .worker) ],
  sockets = [ (name = "http", address = "127.0.0.1:8080", http = (), service = "main") ],${
    behaviour === 'crash' ? '\n  v8Flags = ["--max-old-space-size=48"],' : ''
  }
);

const worker :Workerd.Worker = (
  compatibilityDate = "2026-01-01",
  modules = [ (name = "worker.js", esModule =
${worker.map((line) => `    \`${line}`).join('\n')}
  ) ],
);
`;
}
