import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratch } from '../trust/support.ts';

const MAIN = join(import.meta.dirname, '../../../src/main.ts');

/** How the program ends when nobody reads what it writes to this stream any more. */
async function withoutReader(stream: 'stdout' | 'stderr', ...words: readonly string[]): Promise<number> {
  await using place = await scratch();
  const pipe = join(place.path, 'pipe');
  execFileSync('mkfifo', [pipe]);
  // Opened for both, a pipe without a reader waits for none; then its only reader goes.
  const deaf = `exec 5<>"$0" 4>"$0" 5<&- ${stream === 'stdout' ? 1 : 2}>&4; exec "$@"`;
  const { promise, resolve } = Promise.withResolvers<number>();
  const child = execFile('sh', ['-c', deaf, pipe, process.execPath, MAIN, ...words]);
  child.once('close', (status) => {
    resolve(status ?? -1);
  });
  return await promise;
}

describe('a command whose reader is gone', () => {
  it('ends as if it were read to the end', async () => {
    const keygen = 'release keygen --user-id me --name me --home /nowhere/home --out /nowhere/out --dry-run';
    expect(await withoutReader('stdout', ...keygen.split(' '))).toBe(0);
  });

  it('keeps its exit status when nobody hears its complaint', async () => {
    expect(await withoutReader('stderr', 'nonsense')).toBe(2);
  });
});
