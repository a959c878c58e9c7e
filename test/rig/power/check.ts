/** The checker as a process: it mounts thousands of disks, and does so where nobody else sees them. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ended, start } from '../container/process.ts';
import type { Job, Report } from './checker.ts';

export async function check(job: Job): Promise<Report> {
  await mkdir(job.work, { recursive: true });
  const file = join(job.work, 'job.json');
  await writeFile(file, JSON.stringify(job));
  const checker = join(import.meta.dirname, 'checker.ts');
  const child = start(['unshare', '--mount', '--propagation', 'private', '--', process.execPath, checker, file], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const output = child.stdout === null ? '' : await text(child.stdout);
  await ended(child);
  const last = output.trim().split('\n').at(-1) ?? '';
  if (child.exitCode !== 0 || last === '')
    throw new Error(`the checker ended with ${String(child.exitCode)} (see above)`);
  return JSON.parse(last) as Report;
}
