import { realpath, stat } from 'node:fs/promises';
import { UpdaterError, type ErrorCode } from '../errors.ts';
import { ifThere } from '../if-there.ts';
import type { UnitFacts } from '../host/ports.ts';
import { versionPath } from '../layout.ts';
import type { Version } from '../release.ts';
import type { Force } from '../orders.ts';
import { checkAccount } from './account.ts';
import { checkBaseline } from './baseline.ts';
import { estimateBackup, verifyBackup } from './backup-room.ts';
import type { ActivationContext } from './context.ts';
import { ensureUnits } from './ensure-units.ts';
import { readLinks } from './links.ts';
import { checkMayRun } from './mounts.ts';
import { checkWhole } from './check-whole.ts';
import { checkRequiredMounts } from './required-mounts.ts';
import { checkOwnDirectory } from './own-directory.ts';
import type { Before } from './start.ts';
import { checkVersion } from './version-check.ts';

/** systemd's "no time limit". */
const INFINITY = 2n ** 64n - 1n;

export interface Transition {
  readonly from: Version | undefined;
  readonly to: Version;
  readonly action: 'install' | 'upgrade' | 'rollback' | 'drill' | 'backup' | 'restore';
  readonly forced: readonly Force[];
  /** The data is to be backed up while the node is down. */
  readonly backup?: 'first';
  /** The backup that is to be put back. */
  readonly restore?: string;
}

/** `resting`: its operator stopped it, and what is done to its data does not start it. */
export type Ready = { readonly kind: 'ready'; readonly node: Before | 'resting' } | { readonly kind: 'node-stopped' };

/** Everything that can fail before the stop fails here, with the node untouched. Repeatable. */
export async function preflight(transition: Transition, context: ActivationContext): Promise<Ready> {
  const { bus, layout, settings, unit } = context;
  if (settings.unit !== undefined) await checkAccount(settings.unit, settings.file, context.run);
  await checkHome(context);
  await checkRequiredMounts('The node was not touched, and the next run tries again.', context);
  await ensureUnits(context);
  await checkFallbackUnits(context);
  const facts = await bus.facts(unit);
  const problem = checkUnit(facts, layout.home);
  if (problem !== undefined) throw refuse('HOST_UNIT', problem, `See the unit: systemctl cat ${unit}`);
  const links = await readLinks(layout);
  if (links.current !== transition.from) {
    throw refuse(
      'HOST_STATE',
      `${layout.current} names ${links.current ?? 'nothing'}, not ${transition.from ?? 'nothing'}`,
      'Somebody changed the link while the update was prepared. The next run looks at it afresh.',
    );
  }
  await checkWayBack(transition, context);
  const directory = versionPath(layout, transition.to);
  if (!(await isDirectory(directory)))
    throw refuse(
      'POLICY_NO_TARGET',
      `${directory} is not there`,
      `See what is staged: node-updater versions ${settings.node}`,
    );
  const program = `${directory}/${settings.binary}`;
  await checkMayRun(program);
  // What is made to fail for a drill does not say what it is.
  if (transition.action !== 'drill') {
    await checkWhole(transition, context);
    await checkVersion(program, transition.to, 'staged', context);
  }
  if (wantsBaseline(facts, transition)) await checkBaseline(facts, transition.action, context);
  await checkData(transition, context);
  const ready = readiness(facts, transition.action, await listeningSocket(facts, context));
  // That a node is sick or stopped says more than that somebody has edited its version.
  if (transition.action === 'drill' && ready.kind === 'ready') await checkWhole(transition, context);
  return ready;
}

/**
 * What its operator stopped is not started by an update, and a unit that is `failed` may have been stopped as well (its
 * daemon answers SIGTERM with an error): starting a validator that was moved to another host would make it sign twice.
 * Who rolls back a failed node by hand wants it to run.
 */
function readiness(facts: UnitFacts, action: Transition['action'], socket: 'listening' | 'none'): Ready {
  const down = facts.activeState === 'inactive' || facts.activeState === 'failed';
  // What rests is not started by us either: its socket does that.
  if (!down || socket === 'listening') return { kind: 'ready', node: 'running' };
  if (action === 'backup' || action === 'restore') return { kind: 'ready', node: 'resting' };
  const wanted = action === 'install' || (action === 'rollback' && facts.activeState === 'failed');
  return wanted ? { kind: 'ready', node: 'down' } : { kind: 'node-stopped' };
}

/**
 * A node that goes down by itself again and again has nothing to lose by an update, and who rolls back knows that it is sick:
 * neither is asked how it was.
 */
function wantsBaseline(facts: UnitFacts, { action, forced }: Transition): boolean {
  if (facts.activeState !== 'active') return false;
  return action === 'drill' || (action === 'upgrade' && !forced.includes('unhealthy'));
}

async function listeningSocket(facts: UnitFacts, context: ActivationContext): Promise<'listening' | 'none'> {
  for (const trigger of facts.triggeredBy.filter((name) => name.endsWith('.socket'))) {
    if ((await context.bus.facts(trigger)).activeState === 'active') return 'listening';
  }
  return 'none';
}

/**
 * The fallback at boot waits for the mount that holds /opt/NODE, and systemd does not look through symbolic links for it:
 * behind one, the node could boot before the link is put back.
 */
async function checkHome(context: ActivationContext): Promise<void> {
  const { home } = context.layout;
  const real = await realpath(home);
  if (real === home) return checkOwnDirectory(home);
  throw refuse(
    'HOST_STATE',
    `${home} is really ${real}: behind a symbolic link the fallback at boot could come too late`,
    `Use a bind mount in its place: a line "${real} ${home} none bind 0 0" in /etc/fstab.`,
  );
}

/** What is wrong with the node's unit for our purpose, or undefined. Pure. */
export function checkUnit(facts: UnitFacts, home: string): string | undefined {
  const { service, unit } = facts;
  if (facts.loadState === 'masked' || facts.unitFileState.startsWith('masked')) return `${unit} is masked`;
  if (facts.loadState !== 'loaded' || service === undefined) return `${unit} is ${facts.loadState}, not loaded`;
  if (service.type === 'oneshot') return `${unit} is Type=oneshot: there is no running daemon to prove healthy`;
  if (service.timeoutStopUsec >= INFINITY) {
    return `${unit} has TimeoutStopSec=infinity: a daemon that ignores its stop would hold the update for ever`;
  }
  // Whoever stops it by hand is refused as well: neither a version nor the one before could be started.
  if (facts.refusesManual) return `${unit} has RefuseManualStart= or RefuseManualStop=: it cannot be restarted`;
  if (facts.activeState === 'active' && service.mainPid === 0) {
    return `${unit} runs, and systemd does not know its main process (Type=forking needs PIDFile=): nobody would see which version runs, nor that it has exited`;
  }
  const program = service.execStart[0] ?? '';
  if (!program.startsWith(`${home}/current/`)) {
    return `ExecStart= of ${unit} is ${program}, which does not go through ${home}/current: a switch would change nothing`;
  }
  return undefined;
}

/** The fallback would name the version that is current: it must be there to be put back. */
async function checkWayBack({ from }: Transition, { layout }: ActivationContext): Promise<void> {
  if (from === undefined || (await isDirectory(versionPath(layout, from)))) return;
  throw refuse(
    'HOST_STATE',
    `${layout.current} names ${from}, which is gone: there would be no way back`,
    `Put ${versionPath(layout, from)} back, or begin anew as a first installation: rm ${layout.current}`,
  );
}

/** Space, time and a whole backup: what would be found out too late with the node down. */
async function checkData({ backup, restore }: Transition, context: ActivationContext): Promise<void> {
  if (restore !== undefined) await verifyBackup(restore, context);
  if (backup === undefined) return;
  const { seconds } = await estimateBackup(context);
  const { settings } = context;
  const longest = (settings.backup?.longest ?? Infinity) / 1000;
  if (seconds <= longest) return;
  throw refuse(
    'BACKUP_REFUSED',
    `${settings.node} would be down for about ${seconds} s for the backup, longer than backup.longest allows (${longest} s)`,
    `Set backup.longest in ${settings.file}, or take snapshots or reflinks (backup.directory on the file system of the data). What takes so long: sudo node-updater backup create ${settings.node} --dry-run`,
  );
}

/** Without these nothing would put the old version back, or prove the new one. */
async function checkFallbackUnits(context: ActivationContext): Promise<void> {
  for (const name of ['revert', 'boot', 'probe']) {
    const unit = `node-updater-${name}@${context.settings.node}.service`;
    const { loadState, unitFileState } = await context.bus.facts(unit);
    if (loadState === 'loaded' && !unitFileState.startsWith('masked')) continue;
    const masked = loadState === 'masked' || unitFileState.startsWith('masked');
    throw refuse(
      'HOST_UNIT',
      `${unit} is ${masked ? 'masked' : loadState}: without it no version can be proven or put back`,
      masked
        ? `Type: systemctl unmask ${unit}`
        : `See why: systemctl status ${unit}. Where its file is gone or changed: apt install --reinstall node-autoupdate`,
    );
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return ifThere(
    stat(path).then((found) => found.isDirectory()),
    false,
  );
}

function refuse(code: ErrorCode, message: string, remedy: string): UpdaterError {
  return new UpdaterError(code, message, { remedy });
}
