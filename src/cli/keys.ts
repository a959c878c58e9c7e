/** `node-updater keys`: whose releases a node believes, and the operator's word on that. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings, requireNode } from '../config/load.ts';
import { errnoOf, EXIT, UpdaterError } from '../errors.ts';
import { checkKeySet } from '../trust/rotation.ts';
import type { TrustedSet } from '../trust/rotation.ts';
import { verifyEnvelope } from '../trust/verify.ts';
import type { CommandOf, Ended } from './command.ts';
import { oneNode } from './facts.ts';
import type { Host } from './host.ts';
import { readKeys, type Keys } from './keys-report.ts';
import { keysLines } from './keys-text.ts';
import type { Line } from './output.ts';
import { describeError, errorAsData, type Format } from './report-error.ts';

/** Throws CONFIG_, TRUST_, DISK_ and HOST_STATE errors, USAGE_NOT_PERMITTED for a change by anybody but root. */
export async function keys(command: CommandOf<'keys'>, format: Format, host: Host): Promise<Ended> {
  switch (command.action) {
    case 'list':
      return list(command.node, format, host);
    case 'verify':
      return verify(command.node, format, host);
    case 'add':
      return (await import('./keys-change.ts')).addKey(command, format, host);
    case 'remove':
      return (await import('./keys-change.ts')).removeKey(command, format, host);
  }
}

async function read(name: string | undefined, host: Host): Promise<Keys> {
  const node = oneNode(name, host);
  const { trust } = requireNode(loadSettings(host.layout, host.env, host.uid), node);
  return readKeys(node, host.layout.node(node), trust, host.clock().now());
}

async function list(name: string | undefined, format: Format, host: Host): Promise<Ended> {
  const { report } = await read(name, host);
  if (format === 'json') host.output.json(report);
  else host.output.print(keysLines(report, host.clock().now()));
  return EXIT.done;
}

/** Every file, whether enough keys can still sign, and whether the manifest that was taken last is signed by them. */
async function verify(name: string | undefined, format: Format, host: Host): Promise<Ended> {
  const { report, trusted } = await read(name, host);
  const bad = report.operator.keys.filter(({ state }) => state === 'unreadable');
  const manifest = trusted === undefined ? undefined : await verifyKept(report.node, trusted, host);
  const good = report.enough && bad.length === 0 && !(manifest instanceof UpdaterError);
  if (format === 'json') {
    const failure = manifest instanceof UpdaterError ? errorAsData(manifest) : undefined;
    host.output.json({ ...report, good, manifest: failure ?? manifest ?? 'none' });
  } else {
    host.output.print([...keysLines(report, host.clock().now()), '', ...manifestLines(manifest)]);
  }
  return good ? EXIT.done : EXIT.refused;
}

type Kept = 'signed' | 'none' | UpdaterError;

async function verifyKept(node: string, trusted: TrustedSet, host: Host): Promise<Kept> {
  const layout = host.layout.node(oneNode(node, host));
  const scratch = await mkdtemp(join(tmpdir(), 'node-updater-keys-'));
  try {
    const bytes = await readFile(layout.manifest);
    const now = host.clock().now();
    checkKeySet(trusted, now);
    await verifyEnvelope(bytes, trusted.keys, trusted.threshold, {
      run: host.run,
      gpgv: '/usr/bin/gpgv',
      scratch,
      now,
    });
    return 'signed';
  } catch (error) {
    if (error instanceof UpdaterError) return error;
    if (errnoOf(error) === 'ENOENT') return 'none';
    throw error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function manifestLines(manifest: Kept | undefined): Line[] {
  if (manifest === undefined) return [];
  if (manifest === 'none') return ['No manifest has been taken yet, so none was verified.'];
  if (manifest === 'signed') return [{ text: 'The manifest that was taken last is signed by them.', tone: 'good' }];
  return describeError(manifest).map((text): Line => ({ text: text.replace(/^node-updater: /, ''), tone: 'bad' }));
}
