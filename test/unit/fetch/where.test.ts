import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls, { type SecureVersion } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadAuthorities } from '../../../src/fetch/authorities.ts';
import { makeCa, selfSigned, type TestCa, type Terms } from '../../rig/http/certificates.ts';
import { inTurn, redirectTo, serve, status } from '../../rig/http/misbehave.ts';
import { startRawServer, startServer } from '../../rig/http/server.ts';
import { MIB, failed, makeRoom } from './helpers.ts';
import type { Handler } from '../../rig/http/static.ts';

const body = randomBytes(300_000);
const good: Handler = serve(body, '"v1"');

describe('a redirect', () => {
  it('is followed by hand, three times at most [F014]', async () => {
    await using room = await makeRoom();
    const hops = (count: number): Handler => inTurn(...(Array(count).fill(redirectTo('/next')) as [Handler]), good);
    await using fine = await startServer(hops(3));
    expect(await room.fetch([fine.origin])).toMatchObject({ outcome: 'fetched' });
    await using long = await startServer(hops(4));
    expect(failed(await room.fetch([long.origin])).code).toBe('SOURCE_REDIRECT');
    expect(long.requests).toHaveLength(4);
  });

  it('that leads in a circle ends [F014]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(redirectTo('/'));
    expect(failed(await room.fetch([server.origin])).code).toBe('SOURCE_REDIRECT');
    expect(server.requests).toHaveLength(4);
  });

  it.each([
    { to: 'file:///etc/passwd', id: '[F012]' },
    { to: 'data:,hello', id: '[F012]' },
    { to: 'ftp://127.0.0.1/x', id: '[F012]' },
    { to: 'http://169.254.169.254/latest/meta-data/', id: '[F013]' },
    { to: 'http://192.168.0.1/', id: '[F013]' },
    { to: 'http://user:secret@127.0.0.1/', id: '[F013]' },
    { to: '', id: '[F012]' },
  ])('to $to is refused $id', async ({ to }) => {
    await using room = await makeRoom();
    await using server = await startServer(to === '' ? status(302) : redirectTo(to));
    const report = failed(await room.fetch([server.origin]));
    expect(report.code).toBe('SOURCE_REDIRECT');
    expect(report.message).not.toContain('secret');
    expect(await room.names()).toEqual(['fetch-report.json']);
  });
});

describe('TLS', () => {
  let directory: string;
  let ca: TestCa;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ca-'));
    ca = await makeCa(directory);
    tls.setDefaultCACertificates([...tls.getCACertificates('bundled'), ca.certificate]);
  });
  afterAll(async () => {
    tls.setDefaultCACertificates(tls.getCACertificates('bundled'));
    await rm(directory, { recursive: true });
  });

  it('of an authority that the host trusts carries a download [S1.8] [F010]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(good, await ca.issue('good'));
    expect(await room.fetch([server.origin])).toMatchObject({ outcome: 'fetched' });
    expect((await room.content()).equals(body)).toBe(true);
  });

  it.each<{ name: string; terms: Terms; message: RegExp }>([
    {
      name: 'expired',
      terms: { notAfter: '20200202000000Z' },
      message: /has expired \(valid from .* to Feb {2}2 00:00:00 2020 GMT\)/,
    },
    {
      name: 'early',
      terms: { notBefore: '20450101000000Z' },
      message: /is not yet valid \(valid from Jan {2}1 .* 2045 GMT/,
    },
    { name: 'elsewhere', terms: { altNames: 'DNS:example.com' }, message: /is for another name/ },
  ])(
    'with a certificate that is $name is refused, and nothing falls back to http [F009]',
    async ({ name, terms, message }) => {
      await using room = await makeRoom();
      await using server = await startServer(good, await ca.issue(name, terms));
      const report = failed(await room.fetch([server.origin]));
      expect(report.code).toBe('SOURCE_TLS');
      expect(report.message).toMatch(message);
      expect(report.message).toContain(`127.0.0.1:${String(server.port)}`);
      expect(server.requests).toHaveLength(0);
    },
  );

  it('with a certificate that vouches for itself is refused [F009]', async () => {
    await using room = await makeRoom();
    await using server = await startServer(good, await selfSigned(directory));
    const report = failed(await room.fetch([server.origin]));
    expect(report.code).toBe('SOURCE_TLS');
    expect(server.requests).toHaveLength(0);
  });

  it('of an authority that nobody named is refused [F009]', async () => {
    await using room = await makeRoom();
    await using place = await makeRoom();
    await using server = await startServer(good, await (await makeCa(place.directory)).issue('stranger'));
    const report = failed(await room.fetch([server.origin]));
    expect(report.code).toBe('SOURCE_TLS');
    expect(report.message).toContain('was not issued by an authority that this host trusts');
    expect(server.requests).toHaveLength(0);
  });

  it.each<SecureVersion>(['TLSv1', 'TLSv1.1'])('of the old protocol %s is refused [F009]', async (version) => {
    await using room = await makeRoom();
    const old = { minVersion: version, maxVersion: version, ciphers: 'ALL@SECLEVEL=0' };
    await using server = await startServer(good, { ...(await ca.issue(version)), ...old });
    expect(failed(await room.fetch([server.origin])).code).toBe('SOURCE_TLS');
    expect(server.requests).toHaveLength(0);
  });

  it('is not given up for plain http where the server knows nothing else [F009]', async () => {
    await using room = await makeRoom();
    await using server = await startRawServer((socket) => {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody');
    });
    expect(failed(await room.fetch([server.origin.replace('http:', 'https:')])).code).toBe('SOURCE_TLS');
    expect(await room.names()).toEqual(['fetch-report.json']);
  });

  it('that is never agreed on ends after the connect time-out [F004]', async () => {
    await using room = await makeRoom();
    await using server = await startRawServer(() => undefined);
    const url = server.origin.replace('http:', 'https:');
    const report = failed(await room.fetch([url], {}, { connectTimeout: 100 }));
    expect(report).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    expect(report.message).toContain('did not take a connection within 0.1 s');
  });

  it('is never left by a redirect to http [F011]', async () => {
    await using room = await makeRoom();
    await using plain = await startServer(good);
    await using server = await startServer(redirectTo(plain.origin), await ca.issue('downgrade'));
    expect(failed(await room.fetch([server.origin])).code).toBe('SOURCE_REDIRECT');
    expect(plain.requests).toHaveLength(0);
  });
});

describe('an authority of the operator', () => {
  it('is trusted beside those of the host, for the server that has it alone [S1.8] [F009]', async () => {
    await using place = await makeRoom();
    const ca = await makeCa(place.directory);
    const caFile = join(place.directory, 'ca.pem');
    await using server = await startServer(good, await ca.issue('private'));
    await using own = await makeRoom();
    expect(await own.fetch([server.origin], {}, { caFile })).toMatchObject({ outcome: 'fetched' });
    const others = await loadAuthorities(caFile);
    expect(others).toEqual(expect.arrayContaining(tls.getCACertificates('default')));
    await using expired = await startServer(good, await ca.issue('late', { notAfter: '20200202000000Z' }));
    expect(failed(await own.fetch([expired.origin], {}, { caFile })).code).toBe('SOURCE_TLS');
    await using none = await makeRoom();
    expect(failed(await none.fetch([server.origin])).code).toBe('SOURCE_TLS');
    expect(await loadAuthorities(undefined)).toBeUndefined();
  });

  it.each([
    { name: 'is not there', text: undefined, message: /cannot be read \(ENOENT\)/ },
    { name: 'holds no certificate', text: 'hello', message: /holds no certificate in PEM/ },
    {
      name: 'holds a broken one',
      text: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      message: /holds a certificate that is none/,
    },
  ])('whose file $name is named, and nothing is asked without it [F009]', async ({ text, message }) => {
    await using room = await makeRoom();
    await using place = await makeRoom();
    const caFile = join(place.directory, 'authority.pem');
    if (text !== undefined) await writeFile(caFile, text);
    await using server = await startServer(good);
    const report = failed(await room.fetch([server.origin, server.origin], {}, { caFile }));
    expect(report.code).toBe('SOURCE_TLS');
    expect(report.message).toMatch(message);
    expect(server.requests).toHaveLength(0);
  });
});

describe('plain http', () => {
  it('to a host that is not this one needs insecureHttp [P7]', async () => {
    await using room = await makeRoom();
    const report = failed(await room.fetch(['http://mirror.invalid/']));
    expect(report.code).toBe('SOURCE_PROTOCOL');
    expect(report.message).toContain('not allowed');
  });

  it('is allowed by insecureHttp', async () => {
    await using room = await makeRoom();
    const files = [{ name: 'file', urls: ['http://mirror.invalid/'], limit: 1 }];
    const { report } = await room.run({ files, insecureHttp: true });
    expect(report.files[0]).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
  });
});

describe('a proxy from the environment', () => {
  it('is asked instead of the host, which is named to it in full [S1.8]', async () => {
    await using room = await makeRoom();
    await using proxy = await startServer(good);
    const files = [{ name: 'file', urls: ['http://mirror.invalid/a'], limit: MIB }];
    const { exit } = await room.run({ files, insecureHttp: true }, { environment: { http_proxy: proxy.origin } });
    expect(exit).toBe(0);
    expect(proxy.requests[0]?.headers.host).toBe('mirror.invalid');
  });

  it('is not asked for hosts in no_proxy [S1.8]', async () => {
    await using room = await makeRoom();
    await using proxy = await startServer(status(500));
    await using server = await startServer(good);
    const files = [{ name: 'file', urls: [server.origin], limit: MIB }];
    const environment = { HTTP_PROXY: proxy.origin, NO_PROXY: '127.0.0.1' };
    expect((await room.run({ files }, { environment })).exit).toBe(0);
    expect(proxy.requests).toHaveLength(0);
  });
});
