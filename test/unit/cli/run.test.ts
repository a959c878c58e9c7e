import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { runNodes } from '../../../src/cli/run.ts';
import { loadSettings } from '../../../src/config/load.ts';
import { leaveRequest } from '../../../src/machine/request.ts';
import { writeCheckState } from '../../../src/machine/state-files.ts';
import { NODE, node, silentLog, testHost, tickingClock, upgrade, writeLedger, type TestHost } from './ledger.ts';

const TOML = (source: string): string => `
binary = "bin/node"
[source]
url = "https://example.org/${source}/manifest.json"
[trust]
keys = [ { file = "node.asc", fingerprint = "${'AB'.repeat(20)}" } ]
`;

/** `broken`: the unit for which the bus throws what nobody foresaw. */
async function runOn(host: TestHost, nodes: Readonly<Record<string, string>>, broken = '') {
  const clock = tickingClock();
  await host.files.makeDirectory(host.layout.nodes, 0o755);
  await host.files.makeDirectory(host.layout.keys, 0o755);
  for (const [name, text] of Object.entries(nodes))
    await writeFile(`${host.layout.nodes}/${name}.toml`, text, { mode: 0o644 });
  const { settings, problems } = loadSettings(host.layout, {}, process.getuid?.() ?? 0);
  const started: string[] = [];
  const errors: string[] = [];
  const log = { ...silentLog(), error: (message: string) => errors.push(message) };
  const bus = {
    startNoWait: (unit: string) =>
      unit === broken ? Promise.reject(new TypeError('a fault')) : Promise.resolve(void started.push(unit)),
  };
  const exit = await runNodes(settings, problems, { ...host, clock, log, bus: () => Promise.resolve(bus) });
  return { exit, started, errors, clock };
}

const request = async (host: TestHost, name: string) =>
  JSON.parse(await readFile(host.layout.node(node(name)).request, 'utf8')) as { kind: string; id: string };

describe('run', () => {
  it('leaves a request for each node that is due and starts its unit without waiting [S1.57]', async () => {
    const host = await testHost();
    const { exit, started } = await runOn(host, { workerd: TOML('a'), other: TOML('b') });
    expect(exit).toBe(0);
    expect(started.toSorted()).toEqual(['node-updater@other.service', 'node-updater@workerd.service']);
    expect(await request(host, 'workerd')).toMatchObject({ kind: 'run' });
  });

  it('exits 0 and makes no file when no node is configured [P5]', async () => {
    const host = await testHost();
    expect(await runOn(host, {})).toMatchObject({ exit: 0, started: [], errors: [] });
  });

  it('names file, line and key of a broken node and exits 78, and the other nodes still run', async () => {
    const host = await testHost();
    const { exit, started, errors } = await runOn(host, {
      broken: `${TOML('a')}\nintervall = "1h"\n`,
      workerd: TOML('b'),
    });
    expect(exit).toBe(78);
    expect(started).toEqual(['node-updater@workerd.service']);
    expect(errors.join('\n')).toMatch(/broken\.toml:\d+: .*intervall/);
  });

  it('leaves alone a node whose interval has not passed', async () => {
    const host = await testHost();
    await writeCheckState({ schema: 1, at: tickingClock().now() - 60_000 }, host.place, host.files);
    expect((await runOn(host, { workerd: TOML('a') })).started).toEqual([]);
  });

  it('asks for a run of a node with an open transaction, whatever its interval', async () => {
    const host = await testHost();
    await writeCheckState({ schema: 1, at: tickingClock().now() }, host.place, host.files);
    await writeLedger(host.place.ledger, host.files, [{ kind: 'opened', transaction: upgrade('t', '1', '2') }]);
    expect((await runOn(host, { workerd: TOML('a') })).started).toEqual(['node-updater@workerd.service']);
  });

  it('asks for a run of a node that is held down for a restore that has ended, whatever its interval [F072]', async () => {
    const host = await testHost();
    await writeCheckState({ schema: 1, at: tickingClock().now() }, host.place, host.files);
    await host.files.replace(host.place.restoring, 'b\n', 0o644);
    expect((await runOn(host, { workerd: TOML('a') })).started).toEqual(['node-updater@workerd.service']);
  });

  it('keeps a request that waits already, and starts the unit that takes it [F109]', async () => {
    const host = await testHost();
    const waiting = await leaveRequest({ kind: 'rollback' }, host.place, tickingClock());
    const { exit, started } = await runOn(host, { workerd: TOML('a') });
    expect(exit).toBe(0);
    expect(started).toEqual(['node-updater@workerd.service']);
    expect(await request(host, NODE)).toEqual(waiting);
  });

  it('says which ledger is damaged, exits 1, and the other nodes still run', async () => {
    const host = await testHost();
    await writeFile(host.place.ledger, 'nonsense\n{}\n');
    const { exit, started, errors } = await runOn(host, { workerd: TOML('a'), other: TOML('b') });
    expect(exit).toBe(1);
    expect(started).toEqual(['node-updater@other.service']);
    expect(errors.join()).toContain(host.place.ledger);
  });

  it('tells of what nobody foresaw at one node, exits 1, and the other nodes still run', async () => {
    const host = await testHost();
    const { exit, started, errors } = await runOn(host, { a: TOML('a'), b: TOML('b') }, 'node-updater@a.service');
    expect(exit).toBe(1);
    expect(started).toEqual(['node-updater@b.service']);
    expect(errors.join()).toMatch(/^a: TypeError: a fault[^]*Please report it/);
  });
});
