import { expect, it } from 'vitest';
import { openClient } from '../../../src/fetch/client.ts';
import { serve } from '../../rig/http/misbehave.ts';
import { startServer } from '../../rig/http/server.ts';
import { SETTINGS } from './helpers.ts';
import type { Reach } from '../../../src/fetch/address.ts';

const clock = { now: () => 0, monotonic: () => 0n, wait: () => Promise.resolve() };
const deps = { clock, version: '0', environment: {} };
const stop = new AbortController();

it.each<{ reach: Reach }>([{ reach: 'public' }, { reach: 'private' }, { reach: 'special' }])(
  'a name that resolves to this host is not connected to when only $reach addresses may be reached [F013]',
  async ({ reach }) => {
    await using server = await startServer(serve(Buffer.from('x'), '"v"'));
    await using client = openClient(SETTINGS, deps);
    const url = new URL(`http://localhost:${String(server.port)}/`);
    await expect(client.get({ url, reach }, {}, stop.signal)).rejects.toMatchObject({ code: 'ERR_REFUSED_ADDRESS' });
    expect(server.requests).toHaveLength(0);
  },
);

it.each<{ reach: Reach }>([{ reach: 'loopback' }, { reach: 'any' }])(
  'a name that resolves to this host is connected to when $reach addresses may be reached',
  async ({ reach }) => {
    await using server = await startServer(serve(Buffer.from('x'), '"v"'));
    await using client = openClient(SETTINGS, deps);
    const url = new URL(`http://localhost:${String(server.port)}/`);
    expect((await client.get({ url, reach }, {}, stop.signal)).statusCode).toBe(200);
    expect(client.kindOf('localhost')).toBe('loopback');
  },
);
