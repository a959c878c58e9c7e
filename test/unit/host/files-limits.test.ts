import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const filesModule = new URL('../../../src/host/files.ts', import.meta.url).href;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'limits-'));
  await writeFile(join(directory, 'a'), 'old');
});
afterEach(() => rm(directory, { recursive: true }));

/** Replaces `a` by 9000 bytes in a process of its own behind `wrapper`, and gives the code, the cause and the remedy. */
async function replaceBehind(...wrapper: readonly string[]): Promise<string> {
  const script = `
    import { durableFiles } from ${JSON.stringify(filesModule)};
    const files = durableFiles(() => Promise.reject(new Error('unused')));
    await files.replace(${JSON.stringify(directory)} + '/a', 'x'.repeat(9000), 0o600).then(
      () => console.log('replaced'),
      (error) => console.log(error.code, error.message, error.remedy),
    );`;
  const words = [...wrapper.slice(1), process.execPath, '--input-type=module', '-e', script];
  return (await promisify(execFile)(wrapper[0] ?? '', words, { env: { ...process.env, UV_THREADPOOL_SIZE: '1' } }))
    .stdout;
}

describe('a limit on what may be written', () => {
  it.each([
    {
      name: 'of the size of files, which would end another program by a signal',
      wrapper: ['prlimit', '--fsize=4096'],
      says: /^DISK_IO .*EFBIG .*LimitFSIZE=/,
    },
    {
      // One that a server keeps is met when the bytes are flushed.
      name: 'that is a quota',
      wrapper: ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'inject=fsync:error=EDQUOT:when=1'],
      says: /^DISK_FULL .*EDQUOT .*raise the quota/,
    },
  ])(
    '$name leaves the old content and no half file, and is named with its remedy [F061]',
    async ({ wrapper, says }) => {
      expect(await replaceBehind(...wrapper)).toMatch(says);
      expect(await readFile(join(directory, 'a'), 'utf8')).toBe('old');
      expect(await readdir(directory)).toEqual(['a']);
    },
  );
});
