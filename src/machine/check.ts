/**
 * One look at the source: fetch the manifest, verify it, accept it against what this host has seen before, decide.
 * Nothing of the manifest is parsed before enough signatures were accepted (promise 4).
 */
import { readFile } from 'node:fs/promises';
import { readLinks } from '../activation/links.ts';
import { readSpool } from '../artifact/spool.ts';
import { errnoOf } from '../errors.ts';
import { LIMITS, type Manifest } from '../manifest.ts';
import { cohortOf } from '../policy/cohort.ts';
import { decide, type Decision, type Wish } from '../policy/decide.ts';
import { fetchFiles } from '../source/fetch-room.ts';
import { acceptManifest, checkClock, loadTrustState, nextTrustState, saveTrustState } from '../trust/accept.ts';
import { loadKeys } from '../trust/keys.ts';
import { parseManifest } from '../trust/manifest.ts';
import { verifyEnvelope } from '../trust/verify.ts';
import type { MachineContext } from './context.ts';
import type { Ledger } from './ledger.ts';
import { dataOf } from './plan.ts';
import { quarantined } from './recover.ts';
import { failureOf } from './run.ts';
import { readCheckState, writeCheckState, type CheckState } from './state-files.ts';
import { trustDeps } from './trust-deps.ts';

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
    const { text, etag } = await verifiedManifest(before?.etag, context);
    const manifest = await accepted(text, context);
    const decision = decide(manifest, await facts(ledger, context), wish);
    // A wish is one person's; what `why` remembers is what holds without it.
    const plain = decide(manifest, await facts(ledger, context), { force: [] });
    await writeCheckState(remember(at, etag, manifest, plain), layout, files);
    return { manifest, decision };
  } catch (error) {
    await writeCheckState({ ...(before ?? { schema: 1 }), at, failure: failureOf(error) }, layout, files);
    throw error;
  }
}

interface VerifiedText {
  readonly text: string;
  readonly etag?: string;
}

async function verifiedManifest(etag: string | undefined, context: MachineContext): Promise<VerifiedText> {
  const { layout, settings } = context;
  const kept = etag === undefined ? undefined : await readKept(layout.manifest);
  const conditional = kept === undefined || etag === undefined ? {} : { etag };
  const wanted = { name: 'manifest.json', urls: settings.source.urls, limit: LIMITS.envelope, ...conditional };
  const [report] = await fetchFiles({ files: [wanted] }, { ...context, fetch: context.global.fetch, readSpool });
  const keys = await loadKeys(settings.trust.keys);
  const unchanged = report?.outcome === 'not-modified' && kept !== undefined;
  const bytes = unchanged ? kept : await readSpool(layout.cache, 'manifest.json', LIMITS.envelope);
  const { text } = await verifyEnvelope(bytes, keys, settings.trust.threshold, trustDeps(context));
  if (!unchanged) await context.files.replace(layout.manifest, bytes, 0o644);
  const fresh = report?.outcome === 'fetched' ? report.etag : etag;
  return { text, ...(fresh === undefined ? {} : { etag: fresh }) };
}

/** The envelope as it was when it was last verified: a 304 says that it still holds. It is verified again all the same. */
async function readKept(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function accepted(text: string, context: MachineContext): Promise<Manifest> {
  const { clock, files, layout, settings } = context;
  const manifest = parseManifest(text);
  const floor = await loadTrustState(layout.trustState);
  acceptManifest({ manifest, text }, floor, {
    name: settings.source.name,
    channel: settings.source.channel,
    now: clock.now(),
    buildTime: context.buildTime,
  });
  await saveTrustState(layout.trustState, nextTrustState({ manifest, text }, floor), files);
  return manifest;
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
  };
}

function remember(at: number, etag: string | undefined, manifest: Manifest, decision: Decision): CheckState {
  const { release } = decision;
  return {
    schema: 1,
    at,
    answered: at,
    ...(etag === undefined ? {} : { etag }),
    ...(release === undefined ? {} : { offered: release.version }),
    install: decision.install,
    gates: decision.gates,
    ...(manifest.minimum === undefined ? {} : { minimum: manifest.minimum }),
    suggested: manifest.suggested,
    expires: manifest.expires,
    withdrawn: manifest.withdrawn,
  };
}
