/** Which keys a node trusts, as data: what the operator put into keys.d, and the key set that was walked to from there. */
import { UpdaterError } from '../errors.ts';
import type { NodeLayout } from '../layout.ts';
import type { Digest } from '../release.ts';
import type { TrustedKey, TrustSettings } from '../settings.ts';
import type { Certificate } from '../trust/certificate.ts';
import { loadKeyState, rootOf, trustedSet, walkedSet } from '../trust/key-state.ts';
import { loadKeys } from '../trust/keys.ts';
import { describeKey } from '../trust/openpgp.ts';
import type { KeyFacts } from '../trust/openpgp.ts';
import type { TrustedSet } from '../trust/rotation.ts';
import { isoTime } from './times.ts';

export interface KeysReport {
  readonly schema: 1;
  readonly node: string;
  /** What the operator trusts: where the walk begins. */
  readonly operator: {
    readonly keySet: number;
    readonly threshold: number;
    readonly keys: readonly KeyReport[];
  };
  /** The publisher's newest key set that follows from it; then its keys count, and the operator's do not. */
  readonly walked?: {
    readonly keySet: number;
    readonly threshold: number;
    readonly published: string;
    readonly expires: string;
    readonly state: 'good' | 'expired';
    readonly keys: readonly KeyReport[];
    readonly steps: readonly { readonly keySet: number; readonly sha256: Digest; readonly taken: string }[];
  };
  /** A memory of a walk that began with other keys than those that the operator trusts now: it does not count. */
  readonly forgotten?: number;
  readonly counts: 'operator' | 'walked';
  /** Enough keys of what counts can make a signature now. */
  readonly enough: boolean;
}

export interface KeyReport {
  readonly fingerprint: string;
  readonly file?: string;
  readonly userIds: readonly string[];
  readonly algorithm: string;
  readonly created?: string;
  readonly expires?: string;
  readonly state: KeyFacts['state'] | 'unreadable';
  readonly problem?: string;
}

export interface Keys {
  readonly report: KeysReport;
  /** What verifies manifests now; undefined where a key file is no good. */
  readonly trusted: TrustedSet | undefined;
}

/** Throws HOST_STATE or DISK_. A key file that is no good is part of the answer. */
export async function readKeys(node: string, layout: NodeLayout, trust: TrustSettings, now: number): Promise<Keys> {
  const state = await loadKeyState(layout.keyState);
  const set = walkedSet(state, trust);
  const files = await Promise.all(trust.keys.map(readKeyFile));
  const operators = files.flatMap(({ certificate }) => (certificate === undefined ? [] : [certificate]));
  const whole = operators.length === trust.keys.length;
  const trusted = whole || set !== undefined ? trustedSet(state, trust, operators) : undefined;
  const operator = await Promise.all(files.map((file) => reportFile(file, now)));
  const walkedKeys = set === undefined ? [] : await Promise.all((trusted?.keys ?? []).map((key) => report(key, now)));
  const counting = set === undefined ? operator : walkedKeys;
  const good = counting.filter((key) => key.state === 'good').length;
  const walked =
    set === undefined || state === undefined
      ? undefined
      : {
          keySet: set.number,
          threshold: set.threshold,
          published: isoTime(set.published),
          expires: isoTime(set.expires),
          state: now < set.expires ? ('good' as const) : ('expired' as const),
          keys: walkedKeys,
          steps: state.steps.map(({ number, sha256, taken }) => ({ keySet: number, sha256, taken: isoTime(taken) })),
        };
  return {
    trusted: whole ? trusted : undefined,
    report: {
      schema: 1,
      node,
      operator: { keySet: trust.keySet, threshold: trust.threshold, keys: operator },
      ...(walked === undefined ? {} : { walked }),
      ...(state !== undefined && state.root !== rootOf(trust) ? { forgotten: state.steps.at(-1)?.number ?? 0 } : {}),
      counts: walked === undefined ? 'operator' : 'walked',
      enough: good >= (walked?.threshold ?? trust.threshold) && walked?.state !== 'expired',
    },
  };
}

interface KeyFile {
  readonly key: TrustedKey;
  readonly certificate?: Certificate;
  readonly problem?: string;
}

async function readKeyFile(key: TrustedKey): Promise<KeyFile> {
  try {
    const [certificate] = await loadKeys([key]);
    return certificate === undefined ? { key } : { key, certificate };
  } catch (error) {
    if (error instanceof UpdaterError) return { key, problem: error.message };
    throw error;
  }
}

async function reportFile({ key, certificate, problem }: KeyFile, now: number): Promise<KeyReport> {
  const { file, fingerprint } = key;
  if (certificate !== undefined) return { ...(await report(certificate, now)), file };
  const nothing = { userIds: [], algorithm: 'unknown', state: 'unreadable' } as const;
  return { fingerprint, file, ...nothing, ...(problem === undefined ? {} : { problem }) };
}

async function report(certificate: Certificate, now: number): Promise<KeyReport> {
  const { created, expires, ...facts } = await describeKey(certificate, now);
  return {
    ...facts,
    ...(created === 0 ? {} : { created: isoTime(created) }),
    ...(expires === undefined ? {} : { expires: isoTime(expires) }),
  };
}
