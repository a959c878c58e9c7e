/**
 * `keys add` and `keys remove`: a file in keys.d and a line in the node's own file.
 *
 * Threat: a person in a hurry. A key is only taken by its full fingerprint, which must come from another place than the
 * file; what is about to change is shown; and what would leave a node that nobody can sign for is refused.
 */
import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { editKeys, readTrust, writtenKeys, type WrittenKey, type WrittenTrust } from '../config/edit-keys.ts';
import { loadSettings } from '../config/load.ts';
import { diskError, EXIT, UpdaterError } from '../errors.ts';
import { ifThere } from '../if-there.ts';
import { parseFingerprint, type Fingerprint, type NodeName } from '../release.ts';
import { readCertificates } from '../trust/certificate.ts';
import { loadKeyState } from '../trust/key-state.ts';
import { loadKeys } from '../trust/keys.ts';
import { describeKey } from '../trust/openpgp.ts';
import type { KeyFacts } from '../trust/openpgp.ts';
import type { CommandOf, Ended } from './command.ts';
import { oneNode } from './facts.ts';
import { describeGiven, notGood, readKeyFile } from './given-key.ts';
import type { Host } from './host.ts';
import { needsRoot } from './needs-root.ts';
import type { Format } from './report-error.ts';

type Add = Extract<CommandOf<'keys'>, { action: 'add' }>;
type Remove = Extract<CommandOf<'keys'>, { action: 'remove' }>;

/** What will be done, in the order in which it is. */
interface Change {
  readonly node: NodeName;
  readonly before: WrittenTrust;
  readonly keys: readonly WrittenKey[];
  readonly write?: { readonly path: string; readonly bytes: Buffer };
  readonly config: { readonly path: string; readonly text: string };
  readonly remove?: string;
  readonly about: readonly string[];
}

export async function addKey(command: Add, format: Format, host: Host): Promise<Ended> {
  const { node, path, text } = await nodeFile(command.node, host);
  const before = readTrust(text);
  const bytes = await readKeyFile(command.file);
  const facts = await describeGiven(bytes, command, host.clock().now());
  const known = before.keys.find(({ fingerprint }) => parseFingerprint(fingerprint) === command.fingerprint);
  // A certificate that says that its key is revoked is worth having, of a key that is trusted.
  if (facts.state !== 'good' && (known === undefined || facts.state !== 'revoked')) throw notGood(facts, command.file);
  const inPlace = known !== undefined && !(await holdsOthers(inKeys(known.file, host), command.fingerprint));
  const file = inPlace ? known.file : `${command.fingerprint}.${bytes[0] === 0x2d ? 'asc' : 'gpg'}`;
  const keys = inPlace ? before.keys : named({ file, fingerprint: known?.fingerprint ?? command.fingerprint }, before);
  const change: Change = {
    node,
    before,
    keys,
    write: { path: inKeys(file, host), bytes },
    config: { path, text: inPlace ? text : edited(text, keys, path) },
    about: [
      `${known === undefined ? 'A new key' : 'Another certificate of a trusted key'}: ${facts.fingerprint}`,
      `  ${facts.algorithm}, ${facts.userIds[0] ?? 'no name'}, ${lifeOf(facts)}`,
    ],
  };
  return carryOut(change, command.mode, format, host);
}

export async function removeKey(command: Remove, format: Format, host: Host): Promise<Ended> {
  const { node, path, text } = await nodeFile(command.node, host);
  const before = readTrust(text);
  const isMeant = ({ fingerprint }: WrittenKey) => parseFingerprint(fingerprint) === command.fingerprint;
  const [gone] = before.keys.filter(isMeant);
  if (gone === undefined) throw notTrusted(command.fingerprint, node);
  const keys = before.keys.filter((key) => !isMeant(key));
  await refuseTooFew(before, keys, node, host);
  const used = usersOf(gone.file, node, keys, host);
  const file = inKeys(gone.file, host);
  const change: Change = {
    node,
    before,
    keys,
    config: { path, text: edited(text, keys, path) },
    ...(used.length === 0 && dirname(file) === host.layout.keys ? { remove: file } : {}),
    about: [
      `No longer trusted: ${command.fingerprint}`,
      ...(used.length === 0 ? [] : [`  ${file} stays: ${used.join(', ')} trusts what it holds.`]),
    ],
  };
  return carryOut(change, command.mode, format, host);
}

async function carryOut(change: Change, mode: Add['mode'], format: Format, host: Host): Promise<Ended> {
  const { node, before, keys, write, config, remove, about } = change;
  const lines = [
    ...about,
    `${node}: ${before.threshold} of ${before.keys.length} keys → ${before.threshold} of ${keys.length} keys`,
    ...(write === undefined ? [] : [`  write ${write.path}`]),
    ...(before.keys === keys ? [] : [`  edit ${config.path}: trust.keys`]),
    ...(remove === undefined ? [] : [`  remove ${remove}`]),
    ...(before.keys.length === keys.length ? [] : await beginsAgain(node, host)),
  ];
  if (format === 'text') host.output.print(lines);
  if (mode !== 'dry-run') await makeIt(change, host);
  if (format === 'json') host.output.json({ schema: 1, dryRun: mode === 'dry-run', ...asData(change) });
  else host.output.print([mode === 'dry-run' ? 'Nothing was changed.' : 'Done. To try it now: node-updater check']);
  return EXIT.done;
}

/** An operator who is only told that a signature is by an unknown key might add one whose publisher has removed it. */
async function beginsAgain(node: NodeName, host: Host): Promise<readonly string[]> {
  const begins = 'The walk to the newest key set of the publisher begins again from these keys.';
  const walked = (await loadKeyState(host.layout.node(node).keyState))?.steps.at(-1)?.number;
  if (walked === undefined) return [begins];
  return [
    begins,
    `Careful: ${node} had walked to key set ${walked}. Who holds a key that was removed since, and that is named here, can lead it elsewhere.`,
    'A publisher’s new keys come by themselves, with its next key set. By hand it takes all of a set, and its number in trust.key_set.',
  ];
}

function asData({ node, before, keys, write, config, remove }: Change): object {
  return {
    node,
    threshold: before.threshold,
    keySet: before.keySet,
    before: before.keys,
    after: keys,
    ...(write === undefined ? {} : { written: write.path }),
    ...(before.keys === keys ? {} : { edited: config.path }),
    ...(remove === undefined ? {} : { removed: remove }),
  };
}

/** The key before its name in the configuration, and the other way round: at no time is a key named that is not there. */
async function makeIt({ write, before, keys, config, remove }: Change, host: Host): Promise<void> {
  if (host.uid !== 0) throw needsRoot('changing the trusted keys', host);
  const files = await host.files();
  if (write !== undefined) {
    await files.makeDirectory(dirname(write.path), 0o755);
    await files.replace(write.path, write.bytes, 0o644);
  }
  if (before.keys !== keys) await files.replace(config.path, config.text, (await stat(config.path)).mode & 0o777);
  if (remove !== undefined) await files.remove(remove);
}

async function nodeFile(name: string | undefined, host: Host): Promise<{ node: NodeName; path: string; text: string }> {
  const node = oneNode(name, host);
  const named = `${host.layout.nodes}/${node}.toml`;
  const entries = loadSettings(host.layout, host.env, host.uid).nodes.get(node) ?? [];
  const other = entries.find(({ key, origin }) => key.startsWith('trust.') && origin.type === 'variable');
  if (other !== undefined) {
    throw byHand(`${node} has ${other.key} from the environment`, 'Change the variable that says so.');
  }
  try {
    // Where it is a link, what it leads to is changed, and not the link.
    const path = await realpath(named);
    return { node, path, text: await readFile(path, 'utf8') };
  } catch (error) {
    throw diskError(error, 'read', named);
  }
}

/** Fewer keys than the threshold, or fewer that can still sign, where there were enough before. */
async function refuseTooFew(
  { threshold, keys: before }: WrittenTrust,
  after: readonly WrittenKey[],
  node: NodeName,
  host: Host,
): Promise<void> {
  const good = await countGood(after, host);
  if (after.length >= threshold && (good >= threshold || (await countGood(before, host)) < threshold)) return;
  const left = after.length >= threshold ? `${good} that can still sign` : `${after.length}`;
  const message = `${node} needs ${threshold} signatures; without this key it has ${left} of ${before.length} keys`;
  throw new UpdaterError('TRUST_TOO_FEW_KEYS', message, {
    remedy: 'Nothing was changed. Add the key that takes its place first: node-updater keys add FILE --fingerprint …',
  });
}

async function countGood(keys: readonly WrittenKey[], host: Host): Promise<number> {
  const now = host.clock().now();
  const states = await Promise.all(
    keys.map(async ({ file, fingerprint }) => {
      const key = { file: inKeys(file, host), fingerprint: parseFingerprint(fingerprint) as Fingerprint };
      const [certificate] = await loadKeys([key]).catch((error: unknown) => {
        if (error instanceof UpdaterError) return [];
        throw error;
      });
      return certificate === undefined ? 'unreadable' : (await describeKey(certificate, now)).state;
    }),
  );
  return states.filter((state) => state === 'good').length;
}

/** The keys with this one in its place, or behind them. */
function named(key: WrittenKey, { keys }: WrittenTrust): readonly WrittenKey[] {
  const at = keys.findIndex(({ fingerprint }) => fingerprint === key.fingerprint);
  return at === -1 ? [...keys, key] : keys.with(at, key);
}

/** Whether keys beside this one would go with what the file holds. One that is no key file holds none. */
async function holdsOthers(path: string, fingerprint: Fingerprint): Promise<boolean> {
  const bytes = await ifThere(readFile(path), undefined);
  try {
    return bytes !== undefined && readCertificates(bytes).some((each) => each.fingerprint !== fingerprint);
  } catch (error) {
    if (error instanceof UpdaterError) return false;
    throw error;
  }
}

/** The nodes that name the same file when this one is left with these keys; broken ones too. */
function usersOf(file: string, node: NodeName, left: readonly WrittenKey[], host: Host): readonly NodeName[] {
  const { nodes } = loadSettings(host.layout, host.env, host.uid);
  const path = inKeys(file, host);
  return [...nodes].flatMap(([each, entries]) => {
    const written = entries.flatMap(({ key, value }) => (key === 'trust.keys' ? writtenKeys(value) : []));
    return (each === node ? left : written).some((key) => inKeys(key.file, host) === path) ? [each] : [];
  });
}

function inKeys(file: string, host: Host): string {
  return file.startsWith('/') ? file : `${host.layout.keys}/${file}`;
}

function edited(text: string, keys: readonly WrittenKey[], path: string): string {
  const after = editKeys(text, keys);
  if (after !== undefined) return after;
  const written = keys
    .map(({ file, fingerprint }) => `{ file = "${file}", fingerprint = "${fingerprint}" }`)
    .join(', ');
  throw byHand(
    `${path} writes its keys in a way that a program should not change`,
    `In [trust] of ${path}: keys = [${written}]`,
  );
}

function lifeOf({ expires }: KeyFacts): string {
  return expires === undefined ? 'does not expire' : `expires on ${new Date(expires).toISOString().slice(0, 10)}`;
}

function notTrusted(fingerprint: Fingerprint, node: NodeName): UpdaterError {
  return new UpdaterError('USAGE_INVALID', `${node} does not name the key ${fingerprint}`, {
    remedy: `See: node-updater keys list ${node}. What a key set of the publisher holds, only a newer one changes.`,
  });
}

function byHand(message: string, remedy: string): UpdaterError {
  return new UpdaterError('CONFIG_INVALID', message, { remedy: `Nothing was changed. ${remedy}` });
}
