/**
 * The third of the three checks: gpgv, one signature, one key, read by its status lines.
 *
 * Threat: gpgv's exit status is 0 for expired and revoked keys, and its human output carries text that the signer chose.
 * So only whole lines of the status stream count, by a strict grammar: exactly one GOODSIG, exactly one VALIDSIG with the
 * primary fingerprint that was asked for, and no line that says otherwise. Only one key is in the keyring, only one
 * signature in the file, and nothing of the user's own configuration is read. A gpgv that is missing, hangs or dies refuses.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { diskError } from '../errors.ts';
import type { Run, RunResult } from '../host/ports.ts';
import { LIMITS } from '../limits.ts';
import type { Fingerprint } from '../release.ts';
import type { Certificate } from './certificate.ts';
import type { Moment } from './openpgp.ts';
import { printable, refusal } from './verdict.ts';
import type { Refusal, RefusalReason } from './verdict.ts';

export interface Gpgv {
  readonly run: Run;
  /** The program: an absolute path on a host. */
  readonly gpgv: string;
  /** A directory of ours, where nobody else can write; private files live in a new directory in it while gpgv runs. */
  readonly scratch: string;
}

/** What was signed: bytes in memory, or an open file. The file is read from its start, whatever its offset. */
export type Signed = { readonly bytes: Uint8Array } | { readonly descriptor: number; readonly size: number };

/** A slow host reads and hashes more than this many bytes in a millisecond. */
const SLOWEST_BYTES_PER_MS = 20_000;

/**
 * Why gpgv does not accept the signature as one by `certificate`; undefined if it does. Throws DISK_ when its files cannot
 * be written: that says nothing about the signature.
 */
export async function verifyWithGpgv(
  signed: Signed,
  packet: Uint8Array,
  certificate: Certificate,
  gpgv: Gpgv,
  moment: Moment = 'now',
): Promise<Refusal | undefined> {
  const directory = await onDisk(gpgv.scratch, () => mkdtemp(join(gpgv.scratch, 'gpgv-')));
  try {
    const paths = { directory, keyring: join(directory, 'key.gpg'), signature: join(directory, 'signature.sig') };
    await onDisk(directory, async () => {
      await writeFile(paths.keyring, certificate.bytes, { mode: 0o600, flag: 'wx' });
      await writeFile(paths.signature, packet, { mode: 0o600, flag: 'wx' });
    });
    return await askGpgv(signed, paths, { fingerprint: certificate.fingerprint, moment }, gpgv);
  } finally {
    await onDisk(directory, () => rm(directory, { recursive: true, force: true }));
  }
}

async function askGpgv(signed: Signed, paths: Paths, asked: Asked, gpgv: Gpgv): Promise<Refusal | undefined> {
  try {
    return judge(await runGpgv(signed, paths, gpgv), asked);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return refusal('verifier-failed', `gpgv could not be run: ${message}`, error);
  }
}

async function onDisk<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(error, 'write into', path);
  }
}

interface Asked {
  readonly fingerprint: Fingerprint;
  readonly moment: Moment;
}

interface Paths {
  readonly directory: string;
  readonly keyring: string;
  readonly signature: string;
}

async function runGpgv(
  signed: Signed,
  { directory, keyring, signature }: Paths,
  { run, gpgv }: Gpgv,
): Promise<RunResult> {
  const options = ['--homedir', directory, '--status-fd', '1', '--weak-digest', 'SHA1', '--keyring', keyring];
  const common = { env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', HOME: directory }, outputLimit: LIMITS.gpgvOutput };
  if ('bytes' in signed) {
    const command = [gpgv, ...options, '--', signature, '-'];
    return run(command, { ...common, timeout: LIMITS.gpgv, input: signed.bytes });
  }
  const timeout = LIMITS.gpgv + Math.ceil(signed.size / SLOWEST_BYTES_PER_MS);
  const command = [gpgv, ...options, '--', signature, '/proc/self/fd/3'];
  return run(command, { ...common, timeout, descriptors: [signed.descriptor] });
}

function judge(result: RunResult, { fingerprint, moment }: Asked): Refusal | undefined {
  const said = new Error(printable(`gpgv: ${result.stderr.toString('latin1')}`));
  if (result.timedOut) return refusal('verifier-failed', 'gpgv did not end in time and was killed', said);
  if (result.signal !== undefined) return refusal('verifier-failed', `gpgv died of ${result.signal}`, said);
  const refused = readStatus(result.stdout.toString('latin1'), fingerprint, moment);
  if (refused !== undefined) return { ...refused, cause: said };
  if (result.status === 0) return undefined;
  return refusal('gpgv-refused', `gpgv ended with status ${String(result.status)}`, said);
}

/** Lines that say that a signature is not good, in the order in which they are looked for. */
const REFUSING: Readonly<Record<string, readonly [RefusalReason, string]>> = {
  REVKEYSIG: ['key-revoked', 'gpgv says that its key is revoked'],
  KEYREVOKED: ['key-revoked', 'gpgv says that its key is revoked'],
  EXPKEYSIG: ['key-expired', 'gpgv says that its key has expired'],
  EXPSIG: ['signature-expired', 'gpgv says that it has expired'],
  SIGEXPIRED: ['signature-expired', 'gpgv says that it has expired'],
  BADSIG: ['bad-signature', 'gpgv says that it does not fit the signed bytes'],
  NO_PUBKEY: ['unknown-key', 'gpgv does not find its key'],
  ERRSIG: ['gpgv-refused', 'gpgv cannot check it'],
  NODATA: ['gpgv-refused', 'gpgv finds no signature'],
  UNEXPECTED: ['gpgv-refused', 'gpgv meets data that it does not expect'],
  BADARMOR: ['gpgv-refused', 'gpgv finds broken armour'],
  PLAINTEXT: ['gpgv-refused', 'gpgv finds a message where a detached signature was expected'],
  ERROR: ['gpgv-refused', 'gpgv reports an error'],
  FAILURE: ['gpgv-refused', 'gpgv reports a failure'],
};

const LINE = /^\[GNUPG:\] ([A-Z][A-Z0-9_]*)((?: [^\x00-\x1f\x7f]*)?)$/;
const GOODSIG = /^ [0-9A-F]{16,64} ./;
// Fingerprint, date, two times, version, reserved, key algorithm, hash algorithm (SHA-2), class 00, primary fingerprint.
const VALIDSIG =
  /^ [0-9A-F]{40,64} \d{4}-\d\d-\d\d \d+ \d+ [46] \d+ \d+ (?:8|9|10) 00 (?<primary>[0-9A-F]{64}|[0-9A-F]{40})$/;

/**
 * The grammar of the status stream (GnuPG doc/DETAILS). Keywords that it does not name say nothing about validity. gpgv knows
 * no time but its own: where keys are judged by when they signed, EXPKEYSIG stands for GOODSIG, and openpgp.js has judged.
 */
export function readStatus(status: string, fingerprint: Fingerprint, moment: Moment = 'now'): Refusal | undefined {
  if (status === '') return refusal('verifier-failed', 'gpgv said nothing about it');
  const lines = status.split('\n').map((line) => LINE.exec(line));
  if (!status.endsWith('\n') || lines.pop() !== null || lines.includes(null)) {
    return refusal('gpgv-refused', 'gpgv wrote something other than whole status lines');
  }
  const texts = (keyword: string): readonly string[] =>
    lines.flatMap((line) => (line?.[1] === keyword ? [line[2] ?? ''] : []));
  for (const [keyword, [reason, message]] of Object.entries(REFUSING)) {
    if (keyword === 'EXPKEYSIG' && moment === 'when-signed') continue;
    if (texts(keyword).length > 0) return refusal(reason, message);
  }
  const [good, ...moreGood] = [...texts('GOODSIG'), ...(moment === 'now' ? [] : texts('EXPKEYSIG'))];
  const [valid, ...moreValid] = texts('VALIDSIG');
  if (good === undefined || valid === undefined || moreGood.length + moreValid.length > 0 || !GOODSIG.test(good)) {
    return refusal('gpgv-refused', 'gpgv does not report exactly one good signature');
  }
  if (VALIDSIG.exec(valid)?.groups?.['primary'] === fingerprint) return undefined;
  return refusal('gpgv-refused', `gpgv does not report a plain signature by ${fingerprint}`);
}
