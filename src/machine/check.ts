/**
 * One look at the source: fetch the manifest, verify it, accept it against what this host has seen before, decide.
 * Nothing of the manifest is parsed before enough signatures were accepted (promise 4).
 */
import { readLinks } from '../activation/links.ts';
import { CODES, type UpdaterError } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import { cohortOf } from '../policy/cohort.ts';
import { decide, type Decision, type Wish } from '../policy/decide.ts';
import { notesOfWithdrawn, withdrawnWarnings } from '../policy/withdrawn.ts';
import { checkClock, loadTrustState } from '../trust/accept.ts';
import { expiryWarnings } from '../trust/expiry.ts';
import { describeKey } from '../trust/openpgp.ts';
import type { TrustedSet } from '../trust/rotation.ts';
import type { MachineContext } from './context.ts';
import { explainedBy, trustedKeys, walk } from './key-walk.ts';
import type { Ledger } from './ledger.ts';
import { askMirrors, chooseManifest, type Chosen } from './mirrors.ts';
import { dataOf } from './plan.ts';
import { quarantined } from './recover.ts';
import { failureOf } from './run.ts';
import type { Failure } from './state.ts';
import { readCheckState, writeCheckState, type CheckState } from './state-files.ts';

export interface Checked {
  readonly manifest: Manifest;
  readonly decision: Decision;
}

/** Throws SOURCE_*, TRUST_* or DISK_*; what it learnt, or why it learnt nothing, stands in check.json either way. */
export async function check(wish: Wish, ledger: Ledger, context: MachineContext): Promise<Checked> {
  const { clock, files, layout } = context;
  const at = clock.now();
  const before = await readCheckState(layout);
  try {
    checkClock(await loadTrustState(layout.trustState), { now: at, buildTime: context.buildTime });
    const { chosen, warnings } = await look(before, context);
    const { manifest } = chosen;
    const decision = decide(manifest, await facts(ledger, context), wish);
    // A wish is one person's; what `why` remembers is what holds without it.
    const plain = decide(manifest, await facts(ledger, context), { force: [] });
    const after = remember(at, chosen, plain, warnings);
    await writeCheckState(after, layout, files);
    await announceNew(await warningsOf(after, context), await warningsOf(before, context), context);
    return { manifest, decision };
  } catch (error) {
    await writeCheckState({ ...(before ?? { schema: 1 }), at, failure: failureOf(error) }, layout, files);
    throw error;
  }
}

interface Looked {
  readonly chosen: Chosen;
  readonly warnings: readonly Failure[];
}

/** First the keys, as far as the source leads, then the manifest, by these keys. */
async function look(before: CheckState | undefined, context: MachineContext): Promise<Looked> {
  const known = await trustedKeys(context);
  const answers = await askMirrors(before, known.number, context);
  const { trusted, problem } = await walk(known, answers.nextKeySet, context);
  try {
    const chosen = await chooseManifest(answers, trusted, context);
    const refused = chosen.refused.filter(({ code }) => code !== 'TRUST_SERIAL');
    const told = [...(problem === undefined ? [] : [problem]), ...refused, ...(await ending(chosen, trusted, context))];
    // A mirror that is behind, or was not reached, is the way of mirrors; the journal has it.
    return { chosen, warnings: told.filter(({ code }) => code.startsWith('TRUST_')).map(failureOf) };
  } catch (error) {
    throw explainedBy(problem, error);
  }
}

async function ending(
  { manifest }: Chosen,
  set: TrustedSet,
  { clock }: MachineContext,
): Promise<readonly UpdaterError[]> {
  const now = clock.now();
  const keys = await Promise.all(set.keys.map((key) => describeKey(key, now)));
  return expiryWarnings({ manifest, set, keys }, now);
}

async function warningsOf(state: CheckState | undefined, context: MachineContext): Promise<readonly Failure[]> {
  const { current } = await readLinks(context.layout);
  return [...(state?.warnings ?? []), ...withdrawnWarnings(context.settings.node, current, state ?? {})];
}

/** Once each: `status` shows it for as long as it lasts. */
async function announceNew(
  warnings: readonly Failure[],
  before: readonly Failure[],
  { log, settings }: MachineContext,
): Promise<void> {
  const known = new Set(before.map(({ message }) => message));
  for (const { code, message, remedy } of warnings) {
    if (known.has(message)) continue;
    await log.milestone(CODES[code].messageId, `${message}. ${remedy}`, { node: settings.node, code });
  }
}

async function facts(ledger: Ledger, context: MachineContext) {
  const { current } = await readLinks(context.layout);
  return {
    current,
    arch: context.arch,
    // Our own runtime is linked against glibc, so a host that runs this has it.
    libc: 'gnu' as const,
    now: context.clock.now(),
    place: cohortOf(context.machineId, context.settings.node),
    quarantined: quarantined(ledger.records),
    data: dataOf(current, ledger),
    backup: context.settings.backup === undefined ? ('none' as const) : ('configured' as const),
  };
}

function remember(
  at: number,
  { manifest, etags }: Chosen,
  { release, install, gates }: Decision,
  warnings: readonly Failure[],
): CheckState {
  return {
    schema: 1,
    at,
    answered: at,
    etags,
    ...(release === undefined ? {} : { offered: release.version }),
    install,
    gates,
    ...(manifest.minimum === undefined ? {} : { minimum: manifest.minimum }),
    suggested: manifest.suggested,
    expires: manifest.expires,
    withdrawn: manifest.withdrawn,
    withdrawnNotes: notesOfWithdrawn(manifest),
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}
