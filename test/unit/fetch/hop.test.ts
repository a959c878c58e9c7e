import { describe, expect, it } from 'vitest';
import { nextHop, parseSourceUrl } from '../../../src/fetch/hop.ts';
import type { AddressKind } from '../../../src/fetch/address.ts';

const from = new URL('https://cdn.example.com/a/b?token=secret');

function hop(to: string | undefined, kind: AddressKind = 'public', insecureHttp = false, at = from) {
  return nextHop(at, to, { url: from, kind }, insecureHttp);
}

describe('a redirect from a public host', () => {
  it('may be relative', () => {
    expect(hop('../c').url.href).toBe('https://cdn.example.com/c');
  });

  it('may lead to another public host, but not to private addresses behind its name [F013]', () => {
    expect(hop('https://other.example.org/x')).toMatchObject({ reach: 'public' });
  });

  it('may lead anywhere on the host that the order names', () => {
    expect(hop('https://cdn.example.com:8443/x')).toMatchObject({ reach: 'any' });
  });

  it.each([
    'http://cdn.example.com/',
    'https://127.0.0.1/',
    'https://localhost/',
    'https://10.0.0.1/',
    'https://[::1]/',
    'https://169.254.169.254/',
    'https://user@cdn.example.com/',
    'file:///etc/passwd',
    'data:,x',
    'gopher://x/',
    'https://',
    undefined,
  ])('to %s is refused [F011] [F012] [F013]', (to) => {
    expect(() => hop(to)).toThrow(expect.objectContaining({ code: 'SOURCE_REDIRECT' }) as Error);
  });

  it('does not show the query of a URL, which may hold a token', () => {
    expect(() => hop('http://cdn.example.com/?token=other')).not.toThrow(/secret|other/);
  });
});

it('a redirect from a private host may lead to private addresses, not to loopback [F013]', () => {
  expect(hop('https://10.0.0.2/', 'private')).toMatchObject({ reach: 'private' });
  expect(() => hop('https://127.0.0.1/', 'private')).toThrow(/loopback address/);
});

it('a redirect from plain http on this host to plain http elsewhere needs insecureHttp [F011]', () => {
  const local = new URL('http://127.0.0.1:8080/');
  expect(() => hop('http://mirror.example.com/', 'loopback', false, local)).toThrow(/plain http/);
  expect(hop('http://mirror.example.com/', 'loopback', true, local).url.host).toBe('mirror.example.com');
});

describe('the URL of an order', () => {
  it.each(['ftp://x/', 'javascript:1', 'not a URL', '', 'https://user:pw@x/', 'http://x/'])(
    'is refused as %j',
    (text) => {
      expect(() => parseSourceUrl(text, false)).toThrow(expect.objectContaining({ code: 'SOURCE_PROTOCOL' }) as Error);
    },
  );

  it.each(['https://x/', 'http://127.0.0.1/', 'http://[::1]:80/', 'http://localhost/', 'file:///mnt/mirror/x'])(
    'may be %s',
    (text) => {
      expect(parseSourceUrl(text, false).href).toBe(text.replace(':80/', '/'));
    },
  );
});
