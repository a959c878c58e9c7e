/** A host's configuration in a temporary directory, written file by file. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadSettings, type Loaded } from '../../../src/config/load.ts';
import type { Environment } from '../../../src/config/environment.ts';
import { describeProblem } from '../../../src/config/problems.ts';
import { layoutAt, type Layout } from '../../../src/layout.ts';

export interface ConfigHost extends Disposable {
  readonly root: string;
  readonly layout: Layout;
  /** `path` from the root, without a slash in front. */
  write(path: string, text: string | Uint8Array, mode?: number): string;
  load(env?: Environment): Loaded;
  /** Every problem as one line, the root taken out of it. */
  problems(env?: Environment): string[];
}

export const FINGERPRINT = 'ABCDEF0123456789ABCDEF0123456789ABCDEF01';

/** The least that a node's file can be. */
export const MINIMAL = `binary = "bin/workerd"
[source]
url = "https://example.org/manifest.json"
[trust]
keys = [{ file = "workerd.asc", fingerprint = "${FINGERPRINT}" }]
`;

export function configHost(): ConfigHost {
  const root = mkdtempSync(join(tmpdir(), 'config-'));
  const layout = layoutAt(root);
  const uid = process.geteuid?.() ?? 0;
  const load = (env: Environment = {}) => loadSettings(layout, env, uid);
  return {
    root,
    layout,
    load,
    write(path, text, mode = 0o644) {
      const file = join(root, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      chmodSync(file, mode);
      return file;
    },
    problems: (env) => load(env).problems.map((problem) => describeProblem(problem).replaceAll(root, '')),
    [Symbol.dispose]: () => {
      rmSync(root, { recursive: true });
    },
  };
}
