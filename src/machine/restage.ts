/**
 * A clean copy of a version, fetched, verified and staged as for an upgrade; nothing is activated, so that nothing of it is a
 * transaction. What a death leaves of it is swept by the next run, and the command can be typed again.
 */
import { randomUUID } from 'node:crypto';
import { readLinks } from '../activation/links.ts';
import { makeWay, runs } from '../activation/make-way.ts';
import { listStaged } from '../activation/stage.ts';
import { verifyVersion, type Verdict } from '../activation/verify-version.ts';
import { UpdaterError } from '../errors.ts';
import type { Decision } from '../policy/decide.ts';
import type { Version } from '../release.ts';
import { check } from './check.ts';
import type { MachineContext } from './context.ts';
import type { Ledger } from './ledger.ts';
import type { Transaction } from './state.ts';
import { bringArtifact, stageArtifact, verifyBrought } from './supply.ts';

/** Which gates speak of whether it may be had at all; the others are about running it. */
const OF_ITS_BYTES: readonly Decision['gates'][number]['gate'][] = ['offered', 'platform'];

/**
 * What was done, as a sentence. Throws HOST_STATE for a version that runs, POLICY_NO_TARGET for one that is not on offer, and
 * what fetch, verify and stage throw.
 */
export async function restage(version: Version, ledger: Ledger, context: MachineContext): Promise<string> {
  const { heartbeat } = context;
  heartbeat.status(`Reading ${version}`);
  const verdict = await checkRestage(version, context, () => {
    heartbeat.beat();
  });
  if (verdict?.state === 'holds') return `Nothing to do: every file of ${version} is what was staged`;
  const transaction = await plan(version, ledger, context);
  heartbeat.status(`Staging ${version}`);
  await bringArtifact(transaction, context);
  await verifyBrought(transaction, context);
  // What is there is better than nothing for as long as there is nothing better.
  if (verdict !== undefined) await makeWay(version, context);
  await stageArtifact(transaction, context);
  return `${version} was fetched and staged anew; what runs is untouched`;
}

/** What is known of the version that is staged here, or undefined when none is. Throws HOST_STATE for one that runs, DISK_. */
export async function checkRestage(
  version: Version,
  { layout, settings }: Pick<MachineContext, 'layout' | 'settings'>,
  beat: () => void,
): Promise<Verdict | undefined> {
  const { current, fallback } = await readLinks(layout);
  if (version === current || version === fallback) throw runs(version, settings.node);
  return (await listStaged(layout)).includes(version) ? verifyVersion(version, layout, beat) : undefined;
}

async function plan(version: Version, ledger: Ledger, context: MachineContext): Promise<Transaction> {
  const { decision } = await check({ to: version, force: [] }, ledger, context);
  const { artifact, gates } = decision;
  const no = gates.find(({ gate, passed }) => !passed && OF_ITS_BYTES.includes(gate));
  if (no !== undefined || artifact === undefined) {
    const { node } = context.settings;
    throw new UpdaterError('POLICY_NO_TARGET', `There is no clean copy to be had: ${no?.message ?? version}`, {
      remedy: `Which versions here are what was staged: node-updater versions ${node} --verify. To one of them: sudo node-updater rollback ${node} --to VERSION`,
    });
  }
  const { current } = await readLinks(context.layout);
  const from = current === undefined ? {} : { from: current };
  return { id: randomUUID(), action: 'upgrade', ...from, to: version, artifact, digest: artifact.sha256 };
}
