import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { namingDisk, UpdaterError } from '../../src/errors.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'errors-'));
});
afterAll(() => rm(directory, { recursive: true }));

const thrownBy = (work: Promise<unknown>): Promise<unknown> =>
  work.then(() => undefined).catch((error: unknown) => error);

describe('an error that nobody has named yet', () => {
  it('of a call on a path is one of the disk, with its path and cause [F066]', async () => {
    const error = await thrownBy(readFile(join(directory, 'gone', 'file')));
    expect(namingDisk(error)).toMatchObject({
      code: 'DISK_IO',
      message: expect.stringContaining(`cannot open ${directory}/gone/file: ENOENT`) as string,
      cause: error,
    });
  });

  it('of a program that cannot be started, or of a socket, is none of the disk', async () => {
    const [spawned] = (await once(spawn(join(directory, 'program')), 'error')) as [unknown];
    expect(namingDisk(spawned)).toBe(spawned);
    const [refused] = (await once(connect(join(directory, 'socket')), 'error')) as [unknown];
    expect(namingDisk(refused)).toBe(refused);
  });

  it('without a path, or with a code of its own already, stays what it is', async () => {
    await using file = await open(directory, 'r');
    const error = await thrownBy(file.write('x'));
    expect(namingDisk(error)).toBe(error);
    const named = new UpdaterError('HOST_STATE', 'as it is', { remedy: 'Nothing to do.' });
    expect(namingDisk(named)).toBe(named);
  });
});
