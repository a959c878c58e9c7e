import { chmod, rm, writeFile } from 'node:fs/promises';
import { diskError, UpdaterError } from '../errors.ts';
import type { Run, UnitFacts } from '../host/ports.ts';

export interface FailingCopy {
  /** The version that is copied, and the empty directory that it is copied into. */
  readonly source: string;
  readonly directory: string;
  /** Path of the link `current`, through which the unit finds its program. */
  readonly current: string;
  readonly facts: UnitFacts;
}

const COPY_TIMEOUT = 10 * 60 * 1000;
const FAILING = `#!/bin/sh
echo 'node-updater: this copy was made to fail, for a drill' >&2
exit 1
`;

/** Copies a version, and replaces the program that the unit starts by one that fails. Throws HOST_UNIT and DISK_. */
export async function failingCopy({ source, directory, current, facts }: FailingCopy, run: Run): Promise<void> {
  const program = facts.service?.execStart[0] ?? '';
  if (!program.startsWith(`${current}/`)) {
    throw new UpdaterError('HOST_UNIT', `${facts.unit} starts ${program || 'nothing'}, which is not in ${current}`, {
      remedy: `See the unit: systemctl cat ${facts.unit}`,
    });
  }
  // All is root's, and to change an owner is not among this room's rights.
  const command = ['cp', '-R', '-P', '--preserve=mode,links', '--reflink=auto', `${source}/.`, directory];
  const copied = await run(command, { timeout: COPY_TIMEOUT });
  if (copied.status !== 0) {
    const said = copied.stderr.toString('utf8').trim();
    throw diskError(new Error(copied.timedOut ? 'cp did not end in time' : said), 'copy', source);
  }
  const path = `${directory}${program.slice(current.length)}`;
  try {
    // It may be a link into the copy, or share its bytes with the original.
    await rm(path);
    await writeFile(path, FAILING, { flag: 'wx' });
    await chmod(path, 0o755);
  } catch (error) {
    throw diskError(error, 'replace', path);
  }
}
