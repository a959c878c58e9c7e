/** What can only be seen on a booted host: the downtime, the start of `status`, what is resident, the real rooms' memory. */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Container } from '../../test/rig/container/container.ts';
import type { Figure } from './figures.ts';
import { DAEMON_PORT, NODE, openHost, type BenchHost } from './host.ts';
import { median } from './measure.ts';

const OURS = '/usr/lib/node-autoupdate/main.mjs';

export async function hostFigures(_work: string, rounds: number): Promise<Figure[]> {
  await using bench = await openHost();
  await bench.publish('1.0.0');
  await bench.upgrade();
  const downtime = await downtimeFigure(bench, rounds);
  const memory = await memoryFigures(bench.host);
  const resident = await residentFigure(bench.host);
  const status = await statusFigure(bench.host, rounds * 4);
  await bench.host.reboot();
  return [downtime, status, ...memory, resident, await bootFigure(bench.host)];
}

/** Upgrade and plain restart in turn. Before each, the daemon was up: its program, ours and the releases are in memory. */
async function downtimeFigure({ host, publish, upgrade }: BenchHost, rounds: number): Promise<Figure> {
  const client = host.start([NODE, '/srv/gaps.mjs', String(DAEMON_PORT)]);
  const gaps: number[] = [];
  createInterface({ input: client.stdout as Readable }).on('line', (line) => gaps.push(Number(line)));
  const longestIn = async (event: () => Promise<unknown>): Promise<number> => {
    gaps.length = 0;
    await event();
    await host.sh('sleep 0.5');
    return Math.max(0, ...gaps);
  };
  const [upgrades, restarts]: [number[], number[]] = [[], []];
  for (let round = 1; round <= rounds; round++) {
    await publish(`1.${String(round)}.0`);
    upgrades.push(await longestIn(upgrade));
    restarts.push(await longestIn(() => host.sh('systemctl restart demo.service')));
  }
  client.kill();
  return {
    name: 'downtime of an upgrade to that of systemctl restart',
    value: median(upgrades) / median(restarts),
    target: 1.1,
    detail: `medians ${ms(median(upgrades))} to ${ms(median(restarts))}; all: ${upgrades.map(ms).join(', ')} to ${restarts.map(ms).join(', ')}`,
  };
}

async function statusFigure(host: Container, rounds: number): Promise<Figure> {
  const commands = [`${NODE} ${OURS} status`, `${NODE} -e 0`];
  const { stdout, stderr, status } = await host.run([NODE, '/srv/alternate.mjs', String(rounds), ...commands]);
  if (status !== 0) throw new Error(stderr);
  const took = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as [number, number]);
  const [ours, bare] = [median(took.map(([a]) => a)), median(took.map(([, b]) => b))];
  return { name: 'status to node -e 0', value: ours / bare, target: 3, detail: `${ms(ours)} to ${ms(bare)}` };
}

/** Of the real processes: what the units of the upgrades above wrote into the journal, and one `status`. */
async function memoryFigures(host: Container): Promise<Figure[]> {
  await host.sh(`NODE_OPTIONS=--import=/srv/peak.mjs ${NODE} ${OURS} status >/dev/null 2>/srv/status.peak`);
  const said = `${await host.journal('-o', 'cat')}\n${await host.read('/srv/status.peak')}`;
  const peaks = new Map<string, number>();
  for (const [, process = '', kib] of said.matchAll(/peak memory (\S+) (\d+) KiB/g)) {
    peaks.set(process, Math.max(peaks.get(process) ?? 0, Number(kib) / 1024));
  }
  return [...peaks].map(([process, value]) => ({
    name: `peak memory, main.mjs ${process}, small release`,
    value,
    target: 120,
    unit: ' MiB',
  }));
}

async function residentFigure(host: Container): Promise<Figure> {
  await host.waitFor('! systemctl --quiet is-active "node-updater*@*.service"');
  const count = await host.sh(`pgrep -fc '^[^ ]*node .*${OURS}' || true`);
  return { name: 'resident processes of ours between runs', value: Number(count), target: 0 };
}

/** After a boot with nothing open: how many of our units have started anything. */
async function bootFigure(host: Container): Promise<Figure> {
  const units = ['node-updater.service', 'node-updater@demo', 'node-updater-fetch@demo', 'node-updater-probe@demo'];
  const script = `for unit in ${units.join(' ')}; do systemctl show -P ExecMainStartTimestampMonotonic $unit; done`;
  const starts = (await host.sh(script)).split('\n').filter((text) => text !== '0' && text !== '');
  return { name: 'Node started by us at a boot with nothing open', value: starts.length, target: 0 };
}

function ms(value: number): string {
  return `${value.toFixed(0)} ms`;
}
