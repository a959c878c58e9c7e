/** One node's settings from its merged file: defaults, what must be there, and what must fit together. */
import type { Layout } from '../layout.ts';
import type { NodeName } from '../release.ts';
import type {
  GateSettings,
  ManifestSource,
  NodeSettings,
  TrustSettings,
  UnitSettings,
  VersionProbe,
} from '../settings.ts';
import { isInsecure } from './address.ts';
import { programOf } from './command.ts';
import { BACKUP_DEFAULTS, backupSettings } from './backup.ts';
import type { Fragment, Table } from './fragment.ts';
import { given } from './global.ts';
import type { KeyPath } from './locate.ts';
import { probeSettings } from './probes.ts';
import type { Complaint } from './problems.ts';
import { nodeSchema, type NodeFragment } from './schema.ts';
import { relativePath } from './text.ts';

export interface NodeContext {
  readonly node: NodeName;
  readonly file: string;
  readonly layout: Layout;
}

export interface BuiltNode {
  /** Undefined when there is a complaint. */
  readonly settings?: NodeSettings;
  readonly complaints: readonly Complaint[];
}

/** Collects what is wrong. */
interface Desk {
  complain(path: KeyPath, message: string): void;
}

/** What a node's file may leave out; `raw` is what it does say. */
export function nodeDefaults(node: NodeName, raw: Table): Fragment {
  const unit = {
    description: `${node}, kept up to date by node-updater`,
    type: 'exec',
    environment: {},
    restart: 'always',
    restart_delay: '5s',
    stop_timeout: '90s',
  };
  return {
    raw: {
      interval: '1h',
      keep_versions: 3,
      mounts: [],
      source: { type: 'manifest', name: node.replace(/@.*/, ''), channel: 'stable', insecure_http: false },
      trust: { key_set: 1, threshold: 1 },
      ...('version' in raw ? { version: { args: ['--version'] } } : {}),
      gate: {
        soak: '60s',
        start_timeout: '90s',
        interval: '2s',
        timeout: '5s',
        grace: '10s',
        failures: 3,
        probe: [],
      },
      ...('unit' in raw ? { unit } : {}),
      ...('backup' in raw ? { backup: BACKUP_DEFAULTS } : {}),
    },
    placeOf: () => ({ type: 'default' }),
  };
}

/** Keys without a default that nobody set; told together with whatever else is wrong. */
export function missingKeys(raw: Table): Complaint[] {
  const trust = tableAt(raw, 'trust');
  const needed: KeyPath[] = [['binary'], ['source', 'url'], ['trust', 'keys']];
  if ('version' in raw) needed.push(['version', 'pattern']);
  if ('unit' in raw) needed.push(['unit', 'exec'], ['unit', 'user']);
  if ('backup' in raw) needed.push(['backup', 'paths']);
  return needed.flatMap(([first = '', second]): Complaint[] => {
    const table = second === undefined ? raw : tableAt(raw, String(first));
    if ((second ?? first) in table) return [];
    const why = table === trust ? ': nothing can be verified without a key' : '';
    return [{ path: second === undefined ? [first] : [first, second], message: `is missing${why}.` }];
  });
}

/** `raw` is what was merged over nodeDefaults, nothing is missing, and each of its fragments was accepted. */
export function buildNode(raw: Table, context: NodeContext): BuiltNode {
  const set = nodeSchema.parse(raw);
  const complaints: Complaint[] = [];
  const desk: Desk = {
    complain: (path, message) => complaints.push({ path, message }),
  };
  const source = sourceSettings(set, desk);
  const trust = trustSettings(set, context, desk);
  const version = versionSettings(set);
  const gate = gateSettings(set, context, desk);
  const unit = unitSettings(set, desk);
  const backup = set.backup === undefined ? undefined : backupSettings(set.backup, context.layout.node(context.node));
  complaints.push(...(backup?.complaints ?? []));
  if (complaints.length > 0) return { complaints };
  const settings: NodeSettings = {
    node: context.node,
    file: context.file,
    interval: given(set.interval),
    source,
    trust,
    binary: given(set.binary),
    ...(version === undefined ? {} : { version }),
    gate,
    keepVersions: given(set.keep_versions),
    mounts: given(set.mounts),
    ...(unit === undefined ? {} : { unit }),
    ...(backup === undefined ? {} : { backup: backup.settings }),
  };
  return { settings, complaints };
}

function sourceSettings(set: NodeFragment, desk: Desk): ManifestSource {
  const source = given(set.source);
  const urls = given(source.url);
  const insecureHttp = given(source.insecure_http);
  for (const url of urls.filter((u) => isInsecure(u) && !insecureHttp)) {
    desk.complain(['source', 'url'], `is plain http to another host: ${url}. Use https, or set insecure_http = true.`);
  }
  return {
    type: given(source.type),
    urls,
    name: given(source.name),
    channel: given(source.channel),
    insecureHttp,
  };
}

function trustSettings(set: NodeFragment, context: NodeContext, desk: Desk): TrustSettings {
  const trust = given(set.trust);
  const keys = (trust.keys ?? []).map(({ file, fingerprint }) => ({
    file: file.startsWith('/') ? file : `${context.layout.keys}/${file}`,
    fingerprint,
  }));
  const distinct = new Set(keys.map((key) => key.fingerprint));
  const threshold = given(trust.threshold);
  if (keys.length === 0) desk.complain(['trust', 'keys'], 'is empty: nothing can be verified without a key.');
  else if (distinct.size < keys.length) desk.complain(['trust', 'keys'], 'names the same fingerprint twice.');
  else if (threshold > keys.length) {
    desk.complain(['trust', 'threshold'], `asks for ${threshold} signatures, but there are ${keys.length} keys.`);
  }
  return { keySet: given(trust.key_set), threshold, keys };
}

function versionSettings(set: NodeFragment): VersionProbe | undefined {
  if (set.version === undefined) return undefined;
  return { args: given(set.version.args), pattern: given(set.version.pattern) };
}

/** What a report can hold (activation/probe-report.ts): with more, no version would ever be committed. */
const MOST_ROUNDS = 100_000;

function gateSettings(set: NodeFragment, context: NodeContext, desk: Desk): GateSettings {
  const gate = given(set.gate);
  const { probes, complaints } = probeSettings(given(gate.probe), context.layout.node(context.node).current);
  for (const { path, message } of complaints) desk.complain(['gate', 'probe', ...path], message);
  const soak = given(gate.soak);
  const interval = given(gate.interval);
  if (probes.length > 0 && soak / interval > MOST_ROUNDS) {
    desk.complain(['gate', 'interval'], `is too short for that soak: more than ${MOST_ROUNDS} rounds of probes.`);
  }
  return {
    soak,
    startTimeout: given(gate.start_timeout),
    interval,
    timeout: given(gate.timeout),
    grace: given(gate.grace),
    failures: given(gate.failures),
    probes,
  };
}

function unitSettings(set: NodeFragment, desk: Desk): UnitSettings | undefined {
  const unit = set.unit;
  if (unit === undefined) return undefined;
  const { program, args } = programOf(given(unit.exec));
  const path = relativePath(program);
  if (!path.ok) desk.complain(['unit', 'exec'], `has a program, ${JSON.stringify(program)}, that ${path.why}.`);
  return {
    description: given(unit.description),
    exec: [path.ok ? path.value : program, ...args],
    type: given(unit.type),
    user: given(unit.user),
    ...(unit.group === undefined ? {} : { group: unit.group }),
    ...(unit.working_directory === undefined ? {} : { workingDirectory: unit.working_directory }),
    environment: given(unit.environment),
    restart: given(unit.restart),
    restartDelay: given(unit.restart_delay),
    stopTimeout: given(unit.stop_timeout),
    ...(unit.memory_max === undefined ? {} : { memoryMax: unit.memory_max }),
    ...(unit.cpu_quota === undefined ? {} : { cpuQuota: unit.cpu_quota }),
  };
}

function tableAt(raw: Table, key: string): Table {
  const value = raw[key];
  return typeof value === 'object' && value !== null ? (value as Table) : {};
}
