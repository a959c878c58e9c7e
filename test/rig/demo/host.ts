/** The operator's host: a booted container, what root types on it, and what can be read off it without typing. */
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import type { Entry, LedgerRecord } from '../../../src/machine/record.ts';
import { bootContainer, type Container } from '../container/container.ts';
import type { Screen, Typed } from './screen.ts';

export const SITE = '/srv/releases';
export const SITE_PORT = 7000;
export const NODE_URL = 'http://127.0.0.1:8080/';

export type Ended = Extract<Entry, { kind: 'ended' }>;

/** A time during which the node did not answer. */
export interface Outage {
  readonly milliseconds: number;
  /** The answers before and after it. */
  readonly before: string;
  readonly after: string;
}

export interface Host extends AsyncDisposable {
  readonly container: Container;
  /** A command line of root's, whatever its status. */
  type(line: string): Promise<Typed>;
  ledger(): Promise<readonly Entry[]>;
  /** The `ended` records so far, oldest first. */
  ends(): Promise<readonly Ended[]>;
  /** Waits for the end of the transaction number `count`, and until its units rest. */
  waitForEnd(count: number): Promise<Ended>;
  /** `current` and `fallback`, each '' when it is not there. */
  links(): Promise<{ readonly current: string; readonly fallback: string }>;
  /** Begins to ask the node over and over. */
  watch(): void;
  /** The outages since the last call, once the node answers. */
  outages(): Promise<readonly Outage[]>;
}

export async function bootHost(screen: Screen): Promise<Host> {
  // On the disk, as on a real host: the releases would take gigabytes of memory, and fsync should cost what it costs.
  const container = await bootContainer({ storage: 'disk' });
  // The rig boots quietly; an operator's journal has a line when a unit starts, and when it ends.
  await container.sh('systemctl log-level info');
  const ledger = async () => readEntries(container.path('/var/lib/node-updater/workerd/ledger.jsonl'));
  const ends = async () => (await ledger()).flatMap((entry) => (entry.kind === 'ended' ? [entry] : []));
  const outages: Outage[] = [];
  return {
    container,
    ledger,
    ends,
    type: (line) =>
      screen.type('root@host:~#', line, container.start(['timeout', '180', 'sh', '-c', `exec 2>&1\ncd\n${line}`])),
    async waitForEnd(count) {
      const ledgerFile = '/var/lib/node-updater/workerd/ledger.jsonl';
      await container.waitFor(`[ "$(grep -c '"kind":"ended"' ${ledgerFile})" -ge ${String(count)} ] && ${AT_REST}`, {
        timeout: 120,
      });
      const last = (await ends()).at(-1);
      if (last === undefined) throw new Error('no transaction has ended');
      return last;
    },
    async links() {
      const read = (name: string) => `$(readlink /opt/workerd/${name} | sed s,versions/,,)`;
      const [current = '', fallback = ''] = (await container.sh(`echo "${read('current')}/${read('fallback')}"`)).split(
        '/',
      );
      return { current, fallback };
    },
    watch() {
      const poller = container.start(['/usr/lib/node-autoupdate/node', '/srv/poller.mjs', NODE_URL]);
      if (poller.stdout === null) throw new Error('the poller has no output');
      createInterface({ input: poller.stdout }).on('line', (line) => outages.push(JSON.parse(line) as Outage));
    },
    async outages() {
      await container.waitFor(`curl --silent --fail --max-time 1 ${NODE_URL}`);
      return outages.splice(0);
    },
    [Symbol.asyncDispose]: () => container[Symbol.asyncDispose](),
  };
}

const AT_REST =
  '[ -z "$(systemctl list-units --plain --no-legend --state=activating,deactivating,reloading \'node-updater*\')" ]';

async function readEntries(path: string): Promise<readonly Entry[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  });
  return text.split('\n').flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as LedgerRecord).entry]));
}

/** What is not the operator's to type: the server of the publisher's site, the poller. */
export async function furnish(host: Host): Promise<void> {
  const { container } = host;
  await container.push(join(import.meta.dirname, '..', 'http', 'static.ts'), '/srv/static.ts');
  await container.push(join(import.meta.dirname, 'poller.mjs'), '/srv/poller.mjs');
  await container.push(Buffer.from(serverUnit), '/etc/systemd/system/releases.service');
  await container.sh(`mkdir -p ${SITE}`);
}

const serverUnit = `[Unit]
Description=The publisher's web server
[Service]
ExecStart=/usr/lib/node-autoupdate/node /srv/static.ts ${SITE} ${String(SITE_PORT)}
[Install]
WantedBy=multi-user.target
`;
