/**
 * Which keys count on this host, and the walk from key set to key set through the source (trust/rotation.ts). A key set that
 * does not follow is no reason to stop: the host stays where it is, says so, and judges manifests by what it has. That is all
 * that an attacker could have reached by holding the key set back.
 */
import { readSpool } from '../artifact/spool.ts';
import { CODES, UpdaterError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { FetchFile, FetchFileReport } from '../orders.ts';
import { fetchFailure } from '../source/fetch-failure.ts';
import { tryFiles } from '../source/fetch-room.ts';
import { keySetPath } from '../trust/key-set.ts';
import { loadKeyState, nextKeyState, saveKeyState, trustedSet } from '../trust/key-state.ts';
import { loadKeys } from '../trust/keys.ts';
import { verifySuccessor } from '../trust/rotation.ts';
import type { Successor, TrustedSet } from '../trust/rotation.ts';
import type { MachineContext } from './context.ts';
import { trustDeps } from './trust-deps.ts';

export interface Walked {
  readonly trusted: TrustedSet;
  /** Why the walk ended before the publisher's newest set may have been reached. */
  readonly problem?: UpdaterError;
}

/** As the disk has it; asks nobody. Throws TRUST_NO_KEYS, TRUST_KEY_FILE, HOST_STATE or DISK_. */
export async function trustedKeys({ layout, settings }: MachineContext): Promise<TrustedSet> {
  const operators = await loadKeys(settings.trust.keys);
  return trustedSet(await loadKeyState(layout.keyState), settings.trust, operators);
}

/** The file to order for key set `number`, from these mirrors; the source's own URLs if they are left out. */
export function keySetFile(
  number: number,
  { settings }: Pick<MachineContext, 'settings'>,
  bases: readonly string[] = settings.source.urls,
): FetchFile {
  const urls = [...new Set(bases.map((base) => new URL(keySetPath(number), base).href))];
  return { name: `keys-${number}.json`, urls, limit: LIMITS.envelope, absence: 'expected' };
}

/** Walks on from `trusted` as far as the source leads; `first` is what became of the next set's file. */
export async function walk(
  trusted: TrustedSet,
  first: FetchFileReport | undefined,
  context: MachineContext,
): Promise<Walked> {
  let here = trusted;
  let reports = first === undefined ? [] : [first];
  for (let report = reports.shift(); report?.outcome === 'fetched'; report = reports.shift()) {
    const step = await takeStep(here, report, context);
    if (step instanceof UpdaterError) return { trusted: here, problem: step };
    here = await settleStep(step, context);
    if (reports.length === 0) reports = await fetchNext(here.number, context);
    if (reports[0]?.outcome === 'failed') return { trusted: here, problem: fetchFailure(reports[0]) };
  }
  return first?.outcome === 'failed' ? { trusted, problem: fetchFailure(first) } : { trusted: here };
}

type Fetched = Extract<FetchFileReport, { outcome: 'fetched' }>;

/** Where a mirror's set does not follow, the others are asked: one bad mirror must not hold this host back. */
async function takeStep(here: TrustedSet, report: Fetched, context: MachineContext): Promise<Successor | UpdaterError> {
  const number = here.number + 1;
  const step = await judge(here, report, context);
  if (!(step instanceof UpdaterError)) return step;
  const others = keySetFile(number, context).urls.filter((url) => url !== report.url);
  for (const url of others) {
    const [other] = await order([{ ...keySetFile(number, context), urls: [url] }], context);
    const again = other?.outcome === 'fetched' ? await judge(here, other, context) : step;
    if (!(again instanceof UpdaterError)) return again;
  }
  return step;
}

async function judge(here: TrustedSet, { name }: Fetched, context: MachineContext): Promise<Successor | UpdaterError> {
  try {
    const bytes = await readSpool(context.layout.cache, name, LIMITS.envelope);
    const verified = verifySuccessor(bytes, here, context.settings.source.name, trustDeps(context));
    return await context.heartbeat.during(verified);
  } catch (error) {
    // That a verifier crashes may be this set's doing; if it is this host's, the manifest's signatures will say so.
    if (error instanceof UpdaterError && error.code.startsWith('TRUST_')) return error;
    throw error;
  }
}

/** Durable before anything is judged by the new keys. */
async function settleStep(step: Successor, context: MachineContext): Promise<TrustedSet> {
  const { clock, files, layout, log, settings } = context;
  const { trust } = settings;
  const state = nextKeyState(step, await loadKeyState(layout.keyState), trust, clock.now());
  await files.makeDirectory(layout.state, 0o755);
  await saveKeyState(layout.keyState, state, files);
  const { number, threshold, keys } = step.set;
  const message = `Key set ${number} of ${settings.source.name} follows and counts from now on: ${threshold} of ${keys.length} keys.`;
  await log.milestone(KEY_SET_TAKEN, message, { node: settings.node, key_set: number });
  return trustedSet(state, trust, await loadKeys(trust.keys));
}

const KEY_SET_TAKEN = '6d3a1c5e8f0b4a7d9e21c4b7a5f80c08';

/** A host that was off for years has many steps to go, and each order is a start of the fetch room. */
async function fetchNext(number: number, context: MachineContext): Promise<FetchFileReport[]> {
  const most = Math.min(number + LIMITS.keySetsAtOnce, LIMITS.keySets);
  const numbers = Array.from({ length: Math.max(0, most - number) }, (_, index) => number + 1 + index);
  return order(
    numbers.map((one) => keySetFile(one, context)),
    context,
  );
}

async function order(files: readonly FetchFile[], context: MachineContext): Promise<FetchFileReport[]> {
  return [...(await tryFiles({ files }, { ...context, fetch: context.global.fetch, readSpool }))];
}

/** For messages: what is known of the walk explains why a manifest's signatures do not count. */
export function explainedBy(problem: UpdaterError | undefined, error: unknown): unknown {
  if (problem === undefined || !(error instanceof UpdaterError) || !SIGNERS.has(error.code)) return error;
  if (CODES[problem.code].exit !== error.exit) return error;
  return new UpdaterError(problem.code, `${problem.message}; and ${error.message}`, {
    remedy: problem.remedy,
    cause: new AggregateError([problem, error], 'a key set and a manifest'),
  });
}

const SIGNERS: ReadonlySet<string> = new Set([
  'TRUST_THRESHOLD',
  'TRUST_BAD_SIGNATURE',
  'TRUST_KEY_EXPIRED',
  'TRUST_KEY_REVOKED',
  'TRUST_KEY_UNUSABLE',
  'TRUST_KEYS_EXPIRED',
]);
