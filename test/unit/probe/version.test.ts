import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ProbeLine, ProbeOrder } from '../../../src/orders.ts';
import { firstGroup } from '../../../src/probe/match.ts';
import { parseProbeOrder, readProbeOrder } from '../../../src/probe/order.ts';
import { roundsOf, startRoom } from './rig.ts';

/** What the room says about a program with this text. */
async function askScript(script: string, changes: { pattern?: string; args?: string[]; timeout?: number } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'probe-'));
  const program = join(directory, 'node');
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
  const { pattern = 'workerd (\\S+)', args = ['--version'], timeout = 20_000 } = changes;
  const order: ProbeOrder = { schema: 1, id: 'v', kind: 'version', program, version: { args, pattern }, timeout };
  try {
    await using room = startRoom(order);
    const line = await room.next();
    await room.ended;
    expect(await room.next()).toBeUndefined();
    return line;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function said(version: string): ProbeLine {
  return { id: 'v', kind: 'version', version };
}

describe('version', () => {
  it.each([
    { name: 'on stdout', script: 'echo workerd 2026-11-17' },
    { name: 'on stderr', script: 'echo workerd 2026-11-17 >&2' },
    { name: 'below a banner', script: 'echo "*** hello ***"; echo "workerd 2026-11-17"' },
  ])('is what the binary says $name: an old one shows [F095]', async ({ script }) => {
    expect(await askScript(script)).toEqual(said('2026-11-17'));
  });

  it('may be anchored to a line, and takes arguments without a shell', async () => {
    const script = 'printf "first\\nVersion: v1.2.3\\n[%s]\\n" "$2"';
    expect(await askScript(script, { pattern: '^Version: v(.*)$' })).toEqual(said('1.2.3'));
    expect(await askScript(script, { pattern: '\\[(.*)\\]', args: ['x', '$(id) ; *'] })).toEqual(said('$(id) ; *'));
  });

  it.each([
    { name: 'fails', script: 'echo workerd 1; echo broken >&2; exit 2', message: 'ended with status 2: broken' },
    { name: 'crashes', script: 'echo workerd 1; kill -ABRT $$', message: 'ended by SIGABRT: workerd 1' },
  ])('is unknown, and the program is at fault, when it $name', async ({ script, message }) => {
    expect(await askScript(script)).toEqual({ id: 'v', kind: 'version-failed', reason: 'program', message });
  });

  it.each([
    { name: 'is not in what the program prints', script: 'echo v1', message: 'it printed "v1"' },
    { name: 'finds nothing because nothing is printed', script: 'exit 0', message: 'it printed nothing' },
    {
      name: 'finds too much',
      script: `echo workerd ${'9'.repeat(65)}`,
      message: expect.stringMatching('is longer than 64 characters') as string,
    },
  ])('is unknown, and the pattern is at fault, when it $name', async ({ script, message }) => {
    expect(await askScript(script)).toEqual({ id: 'v', kind: 'version-failed', reason: 'pattern', message });
  });

  it('is unknown, and the pattern is at fault, when it keeps us busy', async () => {
    const script = `echo ${'a'.repeat(60)}!`;
    expect(await askScript(script, { pattern: '(a+)+$' })).toMatchObject({ reason: 'pattern' });
  });

  it('is unknown when the binary hangs, is no program, or is not there', async () => {
    expect(await askScript('exec sleep 60', { timeout: 200 })).toMatchObject({
      reason: 'program',
      message: 'did not end within 200 ms',
    });
    const order = {
      schema: 1,
      id: 'v',
      kind: 'version',
      version: { args: [], pattern: '(x)' },
      timeout: 1000,
    } as const;
    for (const [program, errno] of [
      ['/nonexistent', 'ENOENT'],
      ['/etc/passwd', 'EACCES'],
    ] as const) {
      await using room = startRoom({ ...order, program });
      expect(await room.next()).toMatchObject({
        reason: 'program',
        message: expect.stringContaining(errno) as string,
      });
    }
  });

  it('is unknown, for a reason that can be understood, when the interpreter of the binary is not on this host', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'probe-'));
    const program = join(directory, 'node');
    writeFileSync(program, '#!/nonexistent/interpreter\n', { mode: 0o755 });
    const version = { args: [], pattern: '(x)' };
    await using room = startRoom({ schema: 1, id: 'v', kind: 'version', program, version, timeout: 1000 });
    expect(await room.next()).toMatchObject({ message: expect.stringContaining('interpreter') as string });
    rmSync(directory, { recursive: true });
  });

  it('is looked for in the first 64 KiB of output alone', async () => {
    const flood = 'head -c 65536 /dev/zero | tr "\\0" x; echo workerd 1';
    expect(await askScript(flood)).toMatchObject({ kind: 'version-failed' });
    expect(await askScript(`echo workerd 1; ${flood}`)).toEqual(said('1'));
  });
});

describe('firstGroup', () => {
  it('ends a pattern that hostile output would keep busy for ever', () => {
    expect(() => firstGroup('(a+)+$', `${'a'.repeat(60)}!`)).toThrow(
      expect.objectContaining({ code: 'HOST_PROBE_ROOM' }),
    );
  });
});

describe('parseProbeOrder', () => {
  const version = {
    schema: 1,
    id: 'a',
    kind: 'version',
    program: '/opt/w/versions/1/bin/w',
    version: { args: ['--version'], pattern: '(.*)' },
    timeout: 1000,
  };
  const rounds = roundsOf([
    { type: 'http', url: 'http://[::1]:80/', status: 200, contains: 'x' },
    { type: 'http', url: 'http://localhost/', status: 204 },
    { type: 'tcp', host: '127.0.0.1', port: 1 },
    { type: 'unix', path: '/run/x' },
    { type: 'exec', command: ['/bin/true', ''] },
  ]);

  it('reads back what a transaction writes', () => {
    for (const order of [version, rounds]) expect(parseProbeOrder(JSON.stringify(order))).toEqual(order);
  });

  it.each([
    { name: 'no JSON', order: '{' },
    { name: 'another schema', order: { ...version, schema: 2 } },
    { name: 'a relative program', order: { ...version, program: 'bin/w' } },
    { name: 'no kind', order: { ...version, kind: undefined } },
    { name: 'an unknown probe', order: { ...rounds, probes: [{ type: 'ping' }] } },
    {
      name: 'an https probe',
      order: { ...rounds, probes: [{ type: 'http', url: 'https://localhost/', status: 200 }] },
    },
    { name: 'an exec probe without a command', order: { ...rounds, probes: [{ type: 'exec', command: [] }] } },
    { name: 'rounds without a pause', order: { ...rounds, interval: 0 } },
    { name: 'an endless time limit', order: { ...rounds, timeout: 2 ** 31 } },
  ])('refuses $name', ({ order }) => {
    const text = typeof order === 'string' ? order : JSON.stringify(order);
    expect(() => parseProbeOrder(text)).toThrow(expect.objectContaining({ code: 'HOST_PROBE_ROOM' }));
  });

  it('says so when there is no order', async () => {
    await expect(readProbeOrder('/nonexistent/probe.json')).rejects.toMatchObject({ code: 'HOST_PROBE_ROOM' });
  });
});
