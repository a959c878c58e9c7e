/**
 * The host of the proofs: one booted container that is struck again and again. Between two strikes it is brought back to where
 * the next one begins, with a person's means alone (removing what does not run, asking for an update).
 */
import { join } from 'node:path';
import { parseLedger } from '../../../src/machine/ledger.ts';
import { quarantined } from '../../../src/machine/recover.ts';
import type { Force } from '../../../src/orders.ts';
import type { Version } from '../../../src/release.ts';
import { makeLab, type Lab } from '../lab/lab.ts';
import type { References } from './invariants.ts';
import { DATA, mark, observe, treeOf, type Observation } from './observe.ts';
import { makeTracer, type Tracer } from './tracer.ts';

/** Two good versions, and one that crashes as soon as it runs. */
export const GOOD = ['1.0.0', '2.0.0'] as const;
export const BAD = '3.0.0';

export const SITUATIONS = ['upgrade', 'bad upgrade', 'rollback', 'first installation'] as const;
export type Situation = (typeof SITUATIONS)[number];

export interface Prepared {
  readonly before: Observation;
  readonly versions: { readonly FROM: string; readonly TO: string };
}

export interface Stage extends AsyncDisposable {
  readonly lab: Lab;
  readonly tracer: Tracer;
  readonly references: References;
  /** Brings the host to where the situation begins. */
  prepare(situation: Situation): Promise<Prepared>;
  /** Leaves the request and starts the unit; does not wait. */
  ask(situation: Situation): Promise<void>;
  /** A run of the unit without a request, to its end: it only settles. */
  settle(): Promise<void>;
  /** The same again, as who asked does it who got no update: with no quarantine overruled that was not there before. */
  takeUp(situation: Situation, prepared: Prepared): Promise<void>;
  /** Waits until systemd has nothing more to do for the node. */
  calm(): Promise<void>;
}

export async function makeStage(): Promise<Stage> {
  const lab = await makeLab();
  const { host } = lab;
  await host.sh(`mkdir -p /srv/proof ${DATA} && echo precious >${DATA}/state && chown -R demo: ${DATA}`);
  await lab.configure({ soak: '1s' });
  await lab.publish(GOOD[0]);
  const { status, stderr } = await lab.updater('upgrade');
  if (status !== 0) throw new Error(`the first installation failed: ${stderr}`);
  await host.sh(`cp ${TRUST} ${OLD_TRUST}`);
  await lab.publish(GOOD[1]);
  await lab.publish(BAD, 'crash 100');
  const tracer = await makeTracer(host);
  const versions = [...GOOD, BAD];
  const trees = versions.map((version) => treeOf(join(lab.publisher.root, 'trees', version)));
  const references = new Map((await Promise.all(trees)).map((tree, at) => [versions[at] ?? '', tree]));
  const calm = () => calmDown(lab);
  const ask = (request: object) => leaveRequest(lab, request);
  const settle = async () => {
    await host.run(['systemctl', 'start', 'node-updater@demo.service'], { timeout: 120 });
    await calm();
  };
  return {
    lab,
    tracer,
    references,
    calm,
    ask: async (situation) => ask(requestFor(situation, (await versionsOf(situation, lab)).TO, FORCED)),
    settle,
    takeUp: async (situation, { before, versions }) => {
      if ((await currentOf(lab)) === versions.TO) return settle();
      const { records } = parseLedger(Buffer.from(before.ledger), 'ledger.jsonl');
      const known = quarantined(records).has(versions.TO as Version);
      await ask(requestFor(situation, versions.TO, known ? FORCED : FORCED.filter((force) => force !== 'quarantine')));
      await calm();
    },
    prepare: async (situation) => {
      await reset(situation, lab, ask, calm);
      await host.sh(`cp ${OLD_TRUST} ${TRUST}; rm -f ${CHECKED}`);
      await mark(lab);
      return { before: await observe(lab), versions: await versionsOf(situation, lab) };
    },
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
}

/** Put back before each strike, so that each run takes a manifest that is new to it, and has all of its points. */
const TRUST = '/var/lib/node-updater/demo/trust.json';
const OLD_TRUST = '/srv/proof/trust.json';
const CHECKED = '/var/lib/node-updater/demo/check.json';

const FORCED: readonly Force[] = ['quarantine', 'rollout', 'downgrade', 'unhealthy'];

function requestFor(situation: Situation, to: string, force: readonly Force[]): object {
  return situation === 'rollback' ? { kind: 'rollback', to } : { kind: 'upgrade', to, force };
}

/** Of the two good versions the one that is not current is what comes next. */
async function versionsOf(situation: Situation, lab: Lab): Promise<Prepared['versions']> {
  const FROM = await currentOf(lab);
  if (situation === 'bad upgrade') return { FROM, TO: BAD };
  return { FROM, TO: FROM === GOOD[0] ? GOOD[1] : GOOD[0] };
}

async function reset(
  situation: Situation,
  lab: Lab,
  ask: (request: object) => Promise<void>,
  calm: () => Promise<void>,
): Promise<void> {
  if (situation === 'first installation') {
    await lab.host.sh(removeAll);
    return;
  }
  if ((await currentOf(lab)) === '') {
    await ask(requestFor('first installation', GOOD[0], FORCED));
    await calm();
  }
  const other = (await currentOf(lab)) === GOOD[0] ? GOOD[1] : GOOD[0];
  if (situation !== 'rollback') {
    await lab.host.sh([other, BAD].map(removeVersion).join('\n'));
  } else if (!(await lab.host.sh(`ls /opt/demo/versions`)).split('\n').includes(other)) {
    await ask(requestFor('upgrade', other, FORCED));
    await calm();
  }
}

const removeVersion = (version: string) =>
  `rm -rf /opt/demo/versions/${version} /opt/demo/versions/.${version}.complete /opt/demo/versions/.${version}.files`;

/** The ledger and what is known of the manifest stay: they must never go back. */
const removeAll = `systemctl disable --now --quiet demo.service 2>/dev/null || true
rm -rf /opt/demo /etc/systemd/system/demo.service /etc/systemd/system/demo.service.d
systemctl daemon-reload; systemctl reset-failed`;

async function currentOf(lab: Lab): Promise<string> {
  return lab.host.sh('readlink /opt/demo/current 2>/dev/null | sed s,versions/,, || true');
}

/** As the CLI does it (src/machine/request.ts), without a program that waits for the answer. */
async function leaveRequest({ host }: Lab, kind: object): Promise<void> {
  const boot = await host.sh('cat /proc/sys/kernel/random/boot_id | tr -d -');
  const request = { schema: 1, id: crypto.randomUUID(), asked: Date.now(), bootId: boot, ...kind };
  const at = '/run/node-updater/demo';
  await host.sh(
    `mkdir -p ${at}; cat >${at}/request.new; mv ${at}/request.new ${at}/request.json
    systemctl start --no-block node-updater@demo.service`,
    { input: JSON.stringify(request) },
  );
}

const UNITS = 'node-updater@demo.service node-updater-revert@demo.service demo.service';

/** Few looks, and cheap ones: the strikes are many, and the processors few. */
async function calmDown({ host }: Lab): Promise<void> {
  const script = `until
    s=$(systemctl show -P ActiveState -P Job ${UNITS} | tr '\\n' ' ')
    case " $s" in *ing*|*[0-9]*) false;; *) [ -z "$(systemctl list-jobs --no-legend)" ];; esac
  do sleep 0.1; done`;
  const { status } = await host.run(['sh', '-c', script], { timeout: 120 });
  if (status !== 0) throw new Error('systemd did not come to rest in two minutes');
}
