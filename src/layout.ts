import type { NodeName, Version } from './release.ts';

/** Where everything is on the host (DESIGN.md section 4). Paths only; nothing here touches the disk. */
export interface NodeLayout {
  /** /opt/NODE */
  readonly home: string;
  /** /opt/NODE/versions */
  readonly versions: string;
  /** /opt/NODE/current, changed only by one rename(2) */
  readonly current: string;
  /** /opt/NODE/fallback, there exactly while `current` is not committed */
  readonly fallback: string;
  /** /var/lib/node-updater/NODE: ledger, trust state; readable by all */
  readonly state: string;
  readonly ledger: string;
  readonly trustState: string;
  /** How far the walk through the publisher's key sets has come. */
  readonly keyState: string;
  readonly checkState: string;
  /** The last manifest that was verified, as it came. */
  readonly manifest: string;
  /** The transaction's own copy of what fetch left; 0700. */
  readonly incoming: string;
  /** Where backups of the node's data lie unless its file says otherwise; 0700. */
  readonly backups: string;
  /** What restores rename, or have renamed and not dropped yet; 0700. */
  readonly restores: string;
  /**
   * There while a restore is under way: the node's drop-in lets nobody start it, across any crash.
   */
  readonly restoring: string;
  /** /var/cache/node-updater/NODE: written by the user node-updater, believed by nobody */
  readonly cache: string;
  /** /run/node-updater/NODE: orders and the marks of an open transaction */
  readonly run: string;
  readonly request: string;
  readonly fetchOrder: string;
  readonly probeOrder: string;
  readonly probeReport: string;
  readonly backupOrder: string;
  readonly backupReport: string;
  /** There while the updater has something to put back: revert@ has work. */
  readonly openMark: string;
  /**
   * There while the node is down by our doing; without it nobody starts a node that its operator stopped. Holds the
   * InvocationID that is being replaced: once the unit has another one it is no longer down by our doing.
   */
  readonly downMark: string;
  /** revert@ is to restart what ran the candidate. */
  readonly restartMark: string;
  /** revert@ found the node stopped by its operator, and left it so. */
  readonly stoppedMark: string;
  /** Why a transaction was left whose ledger could not be written. */
  readonly causeMark: string;
  /** /run/node-updater/NODE.lock: one transaction per node at a time */
  readonly lock: string;
  /** The drop-in of the probation, on /run, named to sort last. */
  readonly probation: string;
  /** The drop-in of the transaction unit, on /run, named to sort last: how long it may run, should systemd be reloaded. */
  readonly limit: string;
  /** The same of the backup room, and of the one for backups while the node runs. */
  readonly backupLimit: string;
  readonly tendLimit: string;
  readonly unitFile: string;
  readonly unitDropIn: string;
  readonly probeDropIn: string;
}

export interface Layout {
  readonly globalConfig: string;
  readonly globalDropIns: readonly string[];
  readonly nodes: string;
  readonly keys: string;
  readonly state: string;
  node(name: NodeName): NodeLayout;
}

/** `root` is '' on a host; tests pass a directory of their own. */
export function layoutAt(root: string): Layout {
  return {
    globalConfig: `${root}/etc/node-updater/node-updater.toml`,
    globalDropIns: ['/usr/lib', '/run', '/etc'].map((base) => `${root}${base}/node-updater/conf.d`),
    nodes: `${root}/etc/node-updater/nodes.d`,
    keys: `${root}/etc/node-updater/keys.d`,
    state: `${root}/var/lib/node-updater`,
    node: (name) => nodeLayout(root, name),
  };
}

export function versionPath(layout: NodeLayout, version: Version): string {
  return `${layout.versions}/${version}`;
}

/** The text of a link such as `current`: relative, so that /opt/NODE can be moved or mounted elsewhere. */
export function linkText(version: Version): string {
  return `versions/${version}`;
}

function nodeLayout(root: string, name: NodeName): NodeLayout {
  const home = `${root}/opt/${name}`;
  const state = `${root}/var/lib/node-updater/${name}`;
  const run = `${root}/run/node-updater/${name}`;
  const etcUnits = `${root}/etc/systemd/system`;
  return {
    home,
    versions: `${home}/versions`,
    current: `${home}/current`,
    fallback: `${home}/fallback`,
    state,
    ledger: `${state}/ledger.jsonl`,
    trustState: `${state}/trust.json`,
    keyState: `${state}/keys.json`,
    checkState: `${state}/check.json`,
    manifest: `${state}/manifest.json`,
    incoming: `${state}/incoming`,
    backups: `${state}/backups`,
    restores: `${state}/restores`,
    restoring: `${state}/restoring`,
    cache: `${root}/var/cache/node-updater/${name}`,
    run,
    request: `${run}/request.json`,
    fetchOrder: `${run}/fetch.json`,
    probeOrder: `${run}/probe.json`,
    probeReport: `${run}/probe-report.jsonl`,
    backupOrder: `${run}/backup.json`,
    backupReport: `${run}/backup-report.jsonl`,
    openMark: `${run}/open`,
    downMark: `${run}/down`,
    restartMark: `${run}/restart`,
    stoppedMark: `${run}/stopped`,
    causeMark: `${run}/cause`,
    lock: `${root}/run/node-updater/${name}.lock`,
    probation: `${root}/run/systemd/system/${name}.service.d/zzz-node-updater.conf`,
    limit: `${root}/run/systemd/system/node-updater@${name}.service.d/zzz-node-updater.conf`,
    backupLimit: `${root}/run/systemd/system/node-updater-backup@${name}.service.d/zzz-node-updater.conf`,
    tendLimit: `${root}/run/systemd/system/node-updater-tend@${name}.service.d/zzz-node-updater.conf`,
    unitFile: `${etcUnits}/${name}.service`,
    unitDropIn: `${etcUnits}/${name}.service.d/50-node-updater.conf`,
    probeDropIn: `${etcUnits}/node-updater-probe@${name}.service.d/50-node-updater.conf`,
  };
}
