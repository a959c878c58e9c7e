import { link, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { startServer } from '../../rig/http/server.ts';
import { staticFiles } from '../../rig/http/static.ts';
import { inTurn, serve, stall, status } from '../../rig/http/misbehave.ts';
import { MIB, SETTINGS, failed, makeRoom, modeOf, only } from './helpers.ts';

const body = randomBytes(3 * MIB + 17);

describe('the fetch room', () => {
  it('brings a file into the cache directory, mode 0640, one link, and says so in the report [S1.11]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(serve(body, '"v1"'));
    const url = `${server.origin}/a.tar.gz`;
    const { exit, report } = await room.run({
      id: 'order-7',
      files: [{ name: 'a.tar.gz', urls: [url], limit: body.length }],
    });
    expect(exit).toBe(0);
    expect(report).toEqual({
      schema: 1,
      id: 'order-7',
      files: [{ name: 'a.tar.gz', outcome: 'fetched', url, bytes: body.length, etag: '"v1"' }],
    });
    expect((await room.content('a.tar.gz')).equals(body)).toBe(true);
    expect(await modeOf(join(room.directory, 'a.tar.gz'))).toEqual({ mode: 0o640, nlink: 1 });
    expect(await room.names()).toEqual(['a.tar.gz', 'fetch-report.json']);
    expect(server.requests[0]?.headers).toMatchObject({
      'user-agent': 'node-updater/0.0.0',
      'accept-encoding': 'identity',
    });
    expect(server.bodyBytes()).toBe(body.length);
  });

  it('brings an empty file', async () => {
    await using room = await makeRoom();
    await using server = await startServer(serve(Buffer.alloc(0), '"empty"'));
    expect(await room.fetch([server.origin], { limit: 0 })).toMatchObject({ outcome: 'fetched', bytes: 0 });
    expect(await room.content()).toHaveLength(0);
  });

  it('asks conditionally and takes 304 for an answer, without a body [S1.29]', async () => {
    await using room = await makeRoom();
    await using mirror = await makeRoom();
    await writeFile(join(mirror.directory, 'manifest.json'), body);
    await using server = await startServer(staticFiles(mirror.directory));
    const url = `${server.origin}/manifest.json`;
    const first = await room.fetch([url]);
    if (first.outcome !== 'fetched' || first.etag === undefined) throw new Error('no etag');
    const sent = server.bodyBytes();
    expect(await room.fetch([url], { etag: first.etag })).toEqual({ name: 'file', outcome: 'not-modified', url });
    expect(server.bodyBytes()).toBe(sent);
    expect((await room.content()).equals(body)).toBe(true);
  });

  it.each([403, 404, 410])(
    'takes HTTP %i for an answer where a file may be absent, at once and without a warning',
    async (code) => {
      await using room = await makeRoom();
      await using one = await startServer(status(code));
      await using other = await startServer(status(404));
      const warnings: string[] = [];
      const warn = (message: string): void => void warnings.push(message);
      const log = {
        debug: () => undefined,
        info: () => undefined,
        warn,
        error: warn,
        milestone: () => Promise.resolve(),
      };
      const file = { name: 'keys-2.json', urls: [one.origin, other.origin], limit: 100, absence: 'expected' } as const;
      const { exit, report } = await room.run({ files: [file] }, { log });
      expect({ exit, files: report.files }).toEqual({ exit: 0, files: [{ name: 'keys-2.json', outcome: 'absent' }] });
      expect([warnings, room.waits]).toEqual([[], []]);
      const gone = { ...file, urls: [pathToFileURL(join(room.directory, 'gone')).href] };
      expect((await room.run({ files: [gone] })).report.files).toEqual([{ name: 'keys-2.json', outcome: 'absent' }]);
      expect(room.waits).toEqual([]);
    },
  );

  it('does not take a server in trouble for one that has no such file', async () => {
    await using room = await makeRoom();
    await using one = await startServer(status(404));
    await using other = await startServer(status(500));
    const report = await room.fetch([one.origin, other.origin], { absence: 'expected' });
    expect(failed(report).code).toBe('SOURCE_HTTP_STATUS');
  });

  it('goes on with the next file when one fails, and ends with 75 [S1.12]', async () => {
    await using room = await makeRoom();
    await using server = await startServer((request, response) =>
      (request.url === '/good' ? serve(body, '"v1"') : status(404))(request, response),
    );
    const file = (name: string) => ({ name, urls: [`${server.origin}/${name}`], limit: 64 * MIB });
    const { exit, report } = await room.run({ files: [file('bad'), file('good')] });
    expect(exit).toBe(75);
    expect(report.files.map(({ outcome }) => outcome)).toEqual(['failed', 'fetched']);
  });

  it('leaves the file of the last time in place when the new one does not come whole [S1.10]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(inTurn(serve(body, '"v1"'), status(404)));
    await room.fetch([server.origin]);
    expect(failed(await room.fetch([server.origin])).code).toBe('SOURCE_HTTP_STATUS');
    expect((await room.content()).equals(body)).toBe(true);
  });

  it('keeps what has come when it is told to end, and goes on from there [S1.11]', async () => {
    await using room = await makeRoom();
    const begun = Buffer.alloc(2 * MIB, 's');
    const whole = Buffer.concat([begun, body]);
    await using server = await startServer(inTurn(stall(whole.length, begun.length), serve(whole, '"stall"')));
    const stop = new AbortController();
    const files = [{ name: 'file', urls: [server.origin], limit: 64 * MIB }];
    const running = room.run({ files }, { signal: stop.signal });
    await partHolds(room.directory, MIB);
    stop.abort(new Error('SIGTERM'));
    const stopped = await running;
    expect(stopped.exit).toBe(75);
    expect(failed(only(stopped.report)).code).toBe('SOURCE_FETCH_DIED');
    expect(await room.names()).toEqual(['fetch-report.json', 'file.part', 'file.part.json']);
    const kept = (await room.content('file.part')).length;
    expect(only((await room.run({ files })).report)).toMatchObject({ outcome: 'fetched' });
    expect(server.requests[1]?.headers.range).toBe(`bytes=${String(kept)}-`);
    expect((await room.content()).equals(whole)).toBe(true);
  });

  it('removes what the order does not keep, and follows no link while doing so [S2.27]', async () => {
    await using room = await makeRoom();
    await using outside = await makeRoom();
    await writeFile(join(outside.directory, 'precious'), 'x');
    for (const name of ['old.tar.gz', 'old.tar.gz.part', 'keep.tar.gz', 'keep.tar.gz.part', 'manifest.json']) {
      await writeFile(join(room.directory, name), 'x');
    }
    await mkdir(join(room.directory, 'strange'));
    await symlink(outside.directory, join(room.directory, 'link'));
    await room.run({ keep: ['keep.tar.gz', 'manifest.json'] });
    expect(await room.names()).toEqual(['fetch-report.json', 'keep.tar.gz', 'keep.tar.gz.part', 'manifest.json']);
    expect(await outside.names()).toEqual(['precious']);
  });

  it('removes nothing when the order does not say what to keep', async () => {
    await using room = await makeRoom();
    await writeFile(join(room.directory, 'a.tar.gz.part'), 'x');
    await room.run({});
    expect(await room.names()).toEqual(['a.tar.gz.part', 'fetch-report.json']);
  });

  it.each([
    { name: 'symbolic link', plant: symlink },
    { name: 'second name', plant: link },
  ])('does not write into a file that a $name leads to, planted where the part goes', async ({ plant }) => {
    for (const planted of ['file.part', 'file.part.json']) {
      await using room = await makeRoom();
      await using server = await startServer(serve(body, '"v1"'));
      const victim = join(room.directory, 'victim');
      await writeFile(victim, 'untouched');
      await plant(victim, join(room.directory, planted));
      expect(await room.fetch([server.origin])).toMatchObject({ outcome: 'fetched' });
      expect(await readFile(victim, 'utf8')).toBe('untouched');
      expect((await room.content()).equals(body)).toBe(true);
    }
  });

  it('says that the disk is full before it fetches, and asks no other mirror [S1.14] [P37]', async () => {
    await using room = await makeRoom();
    const claim = String(2 ** 49);
    await using server = await startServer((_request, response) => {
      response.writeHead(200, { 'content-length': claim }).flushHeaders();
    });
    const report = failed(await room.fetch([server.origin, server.origin], { limit: 2 ** 50 }));
    expect(report.code).toBe('DISK_FULL');
    expect(report.message).toMatch(/is short of \d+ bytes/);
    expect(server.requests).toHaveLength(1);
    expect(await room.names()).toEqual(['fetch-report.json']);
  });
});

describe('a mirror on this disk', () => {
  it('is read without a network, and answers not-modified until the file changes [P42]', async () => {
    await using room = await makeRoom();
    await using mirror = await makeRoom();
    const path = join(mirror.directory, 'manifest.json');
    await writeFile(path, body);
    const url = pathToFileURL(path).href;
    const first = await room.fetch([url]);
    if (first.outcome !== 'fetched' || first.etag === undefined) throw new Error('no etag');
    expect((await room.content()).equals(body)).toBe(true);
    expect(await modeOf(join(room.directory, 'file'))).toEqual({ mode: 0o640, nlink: 1 });
    expect((await room.fetch([url], { etag: first.etag })).outcome).toBe('not-modified');
    await writeFile(path, 'changed');
    expect((await room.fetch([url], { etag: first.etag })).outcome).toBe('fetched');
  });

  it.each([
    { name: 'a file that is not there', url: 'file:///nowhere', code: 'SOURCE_UNREACHABLE' },
    { name: 'a directory', url: 'file:///tmp', code: 'SOURCE_PROTOCOL' },
    { name: 'a device', url: 'file:///dev/zero', code: 'SOURCE_PROTOCOL' },
    { name: 'a file of another host', url: 'file://elsewhere/etc/passwd', code: 'SOURCE_PROTOCOL' },
  ])('is refused when the URL names $name', async ({ url, code }) => {
    await using room = await makeRoom();
    expect(failed(await room.fetch([url])).code).toBe(code);
  });

  it('gives no more than the limit [S1.11]', async () => {
    await using room = await makeRoom();
    await writeFile(join(room.directory, 'source'), body);
    const url = pathToFileURL(join(room.directory, 'source')).href;
    expect(failed(await room.fetch([url], { limit: body.length - 1 })).code).toBe('SOURCE_TOO_LARGE');
    expect((await room.fetch([url], { limit: body.length })).outcome).toBe('fetched');
  });
});

/** Waits until the part has at least `bytes`; it is written by this very process, so each turn of the loop may do it. */
async function partHolds(directory: string, bytes: number): Promise<void> {
  const deadline = Date.now() + SETTINGS.totalTimeout;
  while (Date.now() < deadline) {
    const part = await readFile(join(directory, 'file.part')).catch(() => Buffer.alloc(0));
    if (part.length >= bytes) return;
  }
  throw new Error('the part did not grow');
}
