/**
 * The unit text that node-updater writes: NODE.service, and the drop-ins of the node and of its probe room. Pure.
 *
 * Threat: a value from a configuration becomes a second directive, a specifier or a variable, and so a command of root's.
 * Every value is therefore refused (control characters, what systemd would drop a line for) or escaped (`%`, `$`, quotes,
 * backslash) such that systemd reads back exactly what was written; systemd.syntax(7), systemd.unit(5) "Specifiers".
 */
import { UpdaterError } from '../errors.ts';
import type { NodeName } from '../release.ts';
import type { NodeSettings, UnitSettings } from '../settings.ts';

/** How every file that is ours begins: what does not is somebody else's. */
export const OURS = '# Written by node-updater';

/** NODE.service for a node whose configuration has a [unit] table. */
export function renderUnit(settings: NodeSettings): string {
  const { unit, node, file } = settings;
  if (unit === undefined) {
    throw new UpdaterError('INTERNAL', `${node} has no [unit] table, so there is no unit to write`, {
      remedy: 'This is a fault in node-updater. Please report it.',
    });
  }
  return lines([
    `${OURS} from ${plain(file)}; a change here is overwritten.`,
    `# To change it edit that file, or add a drop-in: systemctl edit ${node}.service`,
    '[Unit]',
    `Description=${specifierSafe(unit.description)}`,
    'Wants=network-online.target',
    'After=network-online.target',
    // Nobody is there to type `reset-failed`: the delay alone bounds how often it is tried.
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    ...serviceLines(node, unit),
    '',
    '[Install]',
    'WantedBy=multi-user.target',
  ]);
}

function serviceLines(node: NodeName, unit: UnitSettings): string[] {
  const { workingDirectory: directory, memoryMax, cpuQuota, group } = unit;
  return [
    `Type=${unit.type}`,
    `ExecStart=${execLine(node, unit.exec)}`,
    ...(directory === undefined ? [] : [`WorkingDirectory=${specifierSafe(directory)}`]),
    `User=${specifierSafe(unit.user)}`,
    ...(group === undefined ? [] : [`Group=${specifierSafe(group)}`]),
    ...Object.entries(unit.environment).map(([name, value]) => `Environment=${quoted(plain(`${name}=${value}`))}`),
    `Restart=${unit.restart}`,
    `RestartSec=${milliseconds(unit.restartDelay)}`,
    `TimeoutStopSec=${milliseconds(unit.stopTimeout)}`,
    ...(memoryMax === undefined ? [] : [`MemoryMax=${plain(memoryMax)}`]),
    ...(cpuQuota === undefined ? [] : [`CPUQuota=${plain(cpuQuota)}`]),
  ];
}

/** The node's drop-in, from its first transaction on: the fallback at boot, and the hold while data is being restored. */
export function renderNodeDropIn(node: NodeName): string {
  return lines([
    `${OURS}: what the fallback of ${node} needs. Goes when node-autoupdate is purged.`,
    '[Unit]',
    `Wants=node-updater-boot@${node}.service node-updater-restore@${node}.service`,
    `After=node-updater-boot@${node}.service node-updater-backup@${node}.service`,
    `AssertPathExists=!/var/lib/node-updater/${node}/restoring`,
  ]);
}

/** Makes the probe room run as the node's own user; without a group, as that user's own. */
export function renderProbeDropIn(account: { readonly user: string; readonly group?: string }): string {
  return lines([
    `${OURS}: probes run as the user of the node.`,
    '[Service]',
    `User=${specifierSafe(account.user)}`,
    // Empty resets the group of the template.
    `Group=${specifierSafe(account.group ?? '')}`,
  ]);
}

/**
 * The probation: every exit restarts and is counted, whatever the unit and its drop-ins say. A unit that a socket or timer
 * triggers keeps its own Restart=: a daemon that ends when idle would loop.
 */
export function renderProbationDropIn(facts: { readonly triggered: boolean }): string {
  return lines([
    `${OURS} while a new version is on probation; gone when it is committed or put back.`,
    '[Unit]',
    'StartLimitIntervalSec=0',
    '[Service]',
    ...(facts.triggered ? [] : ['Restart=always']),
    'RestartSec=1s',
    'RestartPreventExitStatus=',
  ]);
}

/** `/opt/NODE/current/PROGRAM ARGUMENTS`: through the link, so that a restart is all that an upgrade needs. */
function execLine(node: NodeName, exec: readonly string[]): string {
  const [program = '', ...args] = exec;
  // systemd expands no $ in a program's path but does in argv[0]: no spelling is right for both.
  if (program.includes('$')) throw invalid(`a program with "$" in its name: ${JSON.stringify(program)}`);
  if (program === '' || program.startsWith('/')) throw invalid('a program that is not relative to `current`');
  const path = quoted(plain(`/opt/${node}/current/${program}`));
  return [path, ...args.map((word) => quoted(plain(word).replaceAll('$', '$$$$')))].join(' ');
}

/** In double quotes where a word is more than plain letters; `%` doubled in any case. */
function quoted(word: string): string {
  const text = word.replaceAll('%', '%%');
  if (/^[A-Za-z0-9/_.,:=@+%$-]+$/.test(text)) return text;
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** For a directive whose whole rest of line is the value: no quotes there, so what they would protect is refused. */
function specifierSafe(text: string): string {
  if (text !== text.trim() || text.endsWith('\\')) {
    throw invalid(`a value that begins or ends in a blank, or ends in a backslash: ${JSON.stringify(text)}`);
  }
  return plain(text).replaceAll('%', '%%');
}

/** Refuses what would end the line, or make systemd ignore it (it wants valid UTF-8 without non-characters). */
function plain(text: string): string {
  if (!/[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u.test(text)) return text;
  throw invalid(`a control character in ${JSON.stringify(text)}`);
}

function milliseconds(duration: number): string {
  return duration % 1000 === 0 ? `${duration / 1000}s` : `${duration}ms`;
}

function lines(text: readonly string[]): string {
  return `${text.join('\n')}\n`;
}

function invalid(what: string): UpdaterError {
  return new UpdaterError('CONFIG_INVALID', `a unit cannot hold ${what}`, {
    remedy: "Change the [unit] table of the node's file: `node-updater config --check` names the line.",
  });
}
