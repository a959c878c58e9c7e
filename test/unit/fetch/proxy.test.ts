import { randomBytes } from 'node:crypto';
import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { proxyOf } from '../../../src/fetch/proxy.ts';
import { makeCa, type TestCa } from '../../rig/http/certificates.ts';
import { cutAfter, inTurn, redirectTo, serve, silent } from '../../rig/http/misbehave.ts';
import { startProxy } from '../../rig/http/proxy.ts';
import { closedPort, startServer, type TestServer } from '../../rig/http/server.ts';
import { MIB, SETTINGS as LIMITS, failed, makeRoom, type Room } from './helpers.ts';
import type { FetchSettings } from '../../../src/settings.ts';

const body = randomBytes(300_000);

let directory: string;
let ca: TestCa;
let caFile: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'proxy-ca-'));
  ca = await makeCa(directory);
  caFile = join(directory, 'authority.pem');
  await writeFile(caFile, ca.certificate);
});
afterAll(() => rm(directory, { recursive: true }));

const through = (room: Room, url: string, settings: Partial<FetchSettings>) =>
  room.fetch([url], {}, { caFile, ...settings });

async function mirror(handler = serve(body, '"v1"')): Promise<TestServer> {
  return startServer(handler, await ca.issue(`m${String(Math.random())}`, { altNames: 'DNS:mirror.invalid' }));
}

describe('a download through a proxy', () => {
  it('is tunnelled, and TLS is spoken with the server, of whose name the proxy alone knows the address [S1.8]', async () => {
    await using room = await makeRoom();
    await using server = await mirror();
    await using proxy = await startProxy({ to: () => server.port });
    const report = await through(room, 'https://mirror.invalid/a', { proxy: proxy.url });
    expect(report).toMatchObject({ outcome: 'fetched', bytes: body.length });
    expect((await room.content()).equals(body)).toBe(true);
    expect(proxy.asked).toEqual(['CONNECT mirror.invalid:443']);
    expect(server.requests[0]?.headers).not.toHaveProperty('proxy-authorization');
  });

  it('is resumed through it, and no byte is fetched twice [S1.8] [F003]', async () => {
    await using room = await makeRoom();
    await using server = await mirror(inTurn(cutAfter(body, '"v1"', 100_000, 'end'), serve(body, '"v1"')));
    await using proxy = await startProxy({ to: () => server.port });
    expect(await through(room, 'https://mirror.invalid/', { proxy: proxy.url })).toMatchObject({ outcome: 'fetched' });
    expect((await room.content()).equals(body)).toBe(true);
    expect(server.bodyBytes()).toBe(body.length);
  });

  it('takes the proxy of the settings before that of the environment, and that of the environment else [S1.8]', async () => {
    await using server = await mirror();
    await using first = await startProxy({ to: () => server.port });
    await using second = await startProxy({ to: () => server.port });
    const files = [{ name: 'file', urls: ['https://mirror.invalid/'], limit: MIB }];

    const environment = { https_proxy: second.url };
    for (const settings of [
      { ...LIMITS, caFile, proxy: first.url },
      { ...LIMITS, caFile },
    ]) {
      await using room = await makeRoom();
      expect((await room.run({ files, settings }, { environment })).exit).toBe(0);
    }
    expect([first.asked.length, second.asked.length]).toEqual([1, 1]);
  });

  it('speaks TLS with the proxy too when its URL is https [S1.8]', async () => {
    await using room = await makeRoom();
    await using server = await mirror();
    await using proxy = await startProxy({ to: () => server.port, tls: await ca.issue('the-proxy') });
    expect(await through(room, 'https://mirror.invalid/', { proxy: proxy.url })).toMatchObject({ outcome: 'fetched' });
  });

  it.each(['https', 'http'])(
    'over %s names itself with the user name and password of the proxy [F015]',
    async (scheme) => {
      await using room = await makeRoom();
      await using server = scheme === 'https' ? await mirror() : await startServer(serve(body, '"v1"'));
      await using proxy = await startProxy({ to: () => server.port, credentials: 'node:s3cret!' });
      const run = (auth: string) => {
        const settings = { ...LIMITS, caFile, proxy: proxy.url.replace('//', `//${auth}`) };
        const files = [{ name: 'file', urls: [`${scheme}://mirror.invalid/`], limit: MIB }];
        return room.run({ files, settings, insecureHttp: true });
      };
      const [refused] = (await run('')).report.files;
      if (refused === undefined) throw new Error('no report');
      expect(failed(refused).code).toBe('SOURCE_HTTP_STATUS');
      expect(failed(refused).message).toContain('the proxy wants a user name and password');
      expect(failed(refused).message).toContain(`asked through the proxy ${proxy.host}`);
      expect(proxy.asked).toHaveLength(1);
      const wrong = await run('node:wrong@');
      expect(JSON.stringify(wrong.report)).not.toContain('wrong');
      expect((await run('node:s3cret!@')).exit).toBe(0);
    },
  );

  it.each([
    { name: 'is not there', proxy: async () => `http://127.0.0.1:${String(await closedPort())}` },
    { name: 'is no URL', proxy: () => Promise.resolve('socks5://127.0.0.1:1') },
  ])('fails with words about the proxy when it $name, and asks nobody directly [S1.8] [F015]', async ({ proxy }) => {
    await using room = await makeRoom();
    expect(failed(await through(room, 'https://mirror.invalid/', { proxy: await proxy() })).message).toMatch(/proxy/);
  });

  it('that is refused by the proxy says so, with the status [F015]', async () => {
    await using room = await makeRoom();
    await using proxy = await startProxy({ to: () => 1, answer: 403 });
    const report = failed(await through(room, 'https://mirror.invalid/', { proxy: proxy.url }));
    expect(report.message).toMatch(
      /The proxy did not connect to mirror\.invalid .*403.*through the proxy 127\.0\.0\.1/,
    );
  });

  it('ends after the headers time-out when the proxy takes the request and says nothing [F004]', async () => {
    await using room = await makeRoom();
    await using proxy = await startProxy({ to: () => 1, answer: 'silence' });
    const report = failed(await through(room, 'https://mirror.invalid/', { proxy: proxy.url, headersTimeout: 200 }));
    expect(report.message).toContain('sent no answer within 0.2 s');
    expect(proxy.asked).toHaveLength(4);
  });

  it('ends after the headers time-out when the server behind it says nothing to plain http [F004]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(silent());
    await using proxy = await startProxy({ to: () => server.port });
    const settings = { ...LIMITS, proxy: proxy.url, headersTimeout: 200 };
    const files = [{ name: 'file', urls: ['http://mirror.invalid/'], limit: MIB }];
    const { report } = await room.run({ files, settings, insecureHttp: true });
    expect(report.files[0]).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
  });

  it.each([
    { name: 'that no authority vouches for', altNames: 'DNS:mirror.invalid', trusted: {} },
    { name: 'for another name', altNames: 'DNS:other.invalid', trusted: { caFile: 'ours' } },
  ])('is refused when the server behind it has a certificate $name [F009]', async ({ altNames, trusted }) => {
    await using room = await makeRoom();
    await using server = await startServer(serve(body, '"v1"'), await ca.issue('behind', { altNames }));
    await using proxy = await startProxy({ to: () => server.port });
    const files = [{ name: 'file', urls: ['https://mirror.invalid/'], limit: MIB }];
    const settings = { ...LIMITS, proxy: proxy.url, ...('caFile' in trusted && { caFile }) };
    expect((await room.run({ files, settings })).report.files[0]).toMatchObject({ code: 'SOURCE_TLS' });
    expect(server.requests).toHaveLength(0);
  });

  it('follows no redirect to plain http or to an address inside the network [F011] [F013]', async () => {
    for (const to of [
      'http://mirror.invalid/',
      'https://169.254.169.254/',
      'https://127.0.0.1/',
      'https://10.0.0.1/',
    ]) {
      await using room = await makeRoom();
      await using server = await mirror(redirectTo(to));
      await using proxy = await startProxy({ to: () => server.port });
      expect(failed(await through(room, 'https://mirror.invalid/', { proxy: proxy.url })).code).toBe('SOURCE_REDIRECT');
      expect(proxy.asked).toHaveLength(1);
    }
  });
});

it('plain http to this host never goes through a proxy, where others would read it [S1.8] [P7]', async () => {
  await using room = await makeRoom();
  await using server = await startServer(serve(body, '"v1"'));
  await using proxy = await startProxy({ to: () => server.port });
  for (const host of ['127.0.0.1', 'localhost']) {
    const url = `http://${host}:${String(server.port)}/`;
    expect(await through(room, url, { proxy: proxy.url })).toMatchObject({ outcome: 'fetched' });
  }
  expect(proxy.asked).toEqual([]);
});

describe('a download whose name leads to another server when it goes on', () => {
  it.each([
    { name: 'is resumed where ETag and size are the same', then: serve(body, '"v1"'), expected: body, twice: 0 },
    { name: 'begins anew where the ETag is another', then: serve(body, '"v2"'), expected: body, twice: 100_000 },
    {
      name: 'begins anew where the size is another',
      then: serve(body.subarray(1), '"v1"'),
      expected: body.subarray(1),
    },
  ])('$name [F002]', async ({ then, expected, twice }) => {
    await using room = await makeRoom();
    await using first = await startServer(cutAfter(body, '"v1"', 100_000, 'end'));
    await using second = await startServer(then);
    await using proxy = await startProxy({ to: () => (first.requests.length === 0 ? first : second).port });
    const files = [{ name: 'file', urls: ['http://mirror.invalid/a'], limit: MIB }];
    const { exit } = await room.run({ files, settings: { ...LIMITS, proxy: proxy.url }, insecureHttp: true });
    expect(exit).toBe(0);
    expect((await room.content()).equals(expected)).toBe(true);
    expect([first.requests.length, second.requests.length > 0]).toEqual([1, true]);
    if (twice !== undefined) expect(first.bodyBytes() + second.bodyBytes()).toBe(expected.length + twice);
  });
});

describe('which proxy a URL is asked through', () => {
  const settings = (noProxy: readonly string[]) => ({ proxy: 'http://proxy.example:3128', noProxy });
  const host = (url: string, given: Parameters<typeof proxyOf>[0], environment = {}) =>
    proxyOf(given, environment)(new URL(url))?.host;

  it.each([
    ['https://a.example/', ['a.example']],
    ['https://x.a.example/', ['a.example']],
    ['https://x.a.example./', ['.A.example']],
    ['https://x.a.example/', ['*.a.example']],
    ['https://a.example:8443/', ['a.example:8443']],
    ['https://a.example/', ['a.example:443']],
    ['http://a.example/', ['a.example:80']],
    ['https://10.1.2.3/', ['10.0.0.0/8']],
    ['https://[fd00::1]/', ['fd00::/8']],
    ['https://[fd00::1]:81/', ['[fd00::1]:81']],
    ['https://[fd00::1]/', ['fd00::1']],
    ['https://a.example/', ['*']],
    ['https://127.0.0.5/', []],
    ['https://[::1]/', []],
    ['https://x.localhost/', []],
    ['file:///a', []],
  ])('is none for %s with no_proxy = %j [S1.8]', (url, noProxy) => {
    expect(host(url, settings(noProxy))).toBeUndefined();
  });

  it.each([
    ['https://a.example/', ['b.example', 'example.org', 'xa.example', '', 'a.example:8443']],
    ['https://ba.example/', ['a.example']],
    ['https://11.1.2.3/', ['10.0.0.0/8', '10.0.0.0/99', 'x/8', '1.2.3', '11.1.2.3/']],
    ['https://[fd00::1]/', ['0.0.0.0/0']],
    ['https://a.example/', ['0.0.0.0/0']],
  ])('is the one of the settings for %s with no_proxy = %j [S1.8]', (url, noProxy) => {
    expect(host(url, settings(noProxy))).toBe('proxy.example:3128');
  });

  it('comes from the environment as others read it: small letters first, HOST:PORT too, http for https', () => {
    const set = { http_proxy: 'small:1', HTTP_PROXY: 'http://large:1', NO_PROXY: 'a.example b.example' };
    expect(host('https://c.example/', {}, set)).toBe('small:1');
    expect(host('https://b.example/', {}, set)).toBeUndefined();
    expect(host('https://c.example/', {}, { ...set, HTTPS_PROXY: 'https://tls.example' })).toBe('tls.example');
    expect(host('http://c.example/', {}, { HTTPS_PROXY: 'https://tls.example' })).toBeUndefined();
  });
});
