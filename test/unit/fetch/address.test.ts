import { describe, expect, it } from 'vitest';
import { isWithin, kindOfAddress, kindOfHost } from '../../../src/fetch/address.ts';

describe('the kind of a host', () => {
  it.each([
    { host: '93.184.216.34', kind: 'public' },
    { host: '[2606:4700::1111]', kind: 'public' },
    { host: '127.0.0.1', kind: 'loopback' },
    { host: '127.255.1.2', kind: 'loopback' },
    { host: '0.0.0.0', kind: 'loopback' },
    { host: '[::1]', kind: 'loopback' },
    { host: '[::]', kind: 'loopback' },
    { host: 'localhost', kind: 'loopback' },
    { host: 'localhost.', kind: 'loopback' },
    { host: 'db.localhost', kind: 'loopback' },
    { host: '10.1.2.3', kind: 'private' },
    { host: '172.31.255.255', kind: 'private' },
    { host: '172.32.0.0', kind: 'public' },
    { host: '192.168.1.1', kind: 'private' },
    { host: '100.64.0.1', kind: 'private' },
    { host: '[fd12::1]', kind: 'private' },
    { host: '169.254.169.254', kind: 'special' },
    { host: '100.100.100.200', kind: 'special' },
    { host: '[fd00:ec2::254]', kind: 'special' },
    { host: '[fe80::1]', kind: 'special' },
    { host: '224.0.0.1', kind: 'special' },
    { host: '[64:ff9b::a9fe:a9fe]', kind: 'special' },
  ])('$host is $kind [F013]', ({ host, kind }) => {
    expect(kindOfHost(host)).toBe(kind);
  });

  it.each([
    'http://2130706433/',
    'http://0x7f.1/',
    'http://[::ffff:127.0.0.1]/',
    'http://127.1/',
    'http://017700000001/',
  ])('is loopback in the disguise %s [F013]', (url) => {
    expect(kindOfHost(new URL(url).hostname)).toBe('loopback');
  });

  it('of the metadata service is special in the disguise of an IPv4-mapped address [F013]', () => {
    expect(kindOfAddress('::ffff:169.254.169.254')).toBe('special');
  });

  it('is unknown for a name that only DNS can tell', () => {
    expect(kindOfHost('mirror.example.com')).toBeUndefined();
  });
});

it('public addresses can always be reached, others only from their own kind or by the order [F013]', () => {
  expect(isWithin('public', 'public')).toBe(true);
  expect(isWithin('loopback', 'public')).toBe(true);
  expect(isWithin('loopback', 'loopback')).toBe(true);
  expect(isWithin('private', 'loopback')).toBe(false);
  expect(isWithin('public', 'special')).toBe(false);
  expect(isWithin('any', 'special')).toBe(true);
});
