import { EXIT } from '../errors.ts';
import { passed } from '../machine/drill-passed.ts';
import type { Line } from './output.ts';
import type { NodeReport, StatusReport } from './status-report.ts';
import { table } from './table.ts';
import { ago, ahead } from './times.ts';
import { troubleLines, warningLines } from './trouble-text.ts';

const HEAD = ['NODE', 'CURRENT', 'AVAILABLE', 'MINIMUM', 'STATE', 'LAST RESULT', 'LAST CHECK', 'NEXT RUN'];

/** One screen: a state line, a row for each node, what is wrong, what to type next. Pure. */
export function statusLines(report: StatusReport, now: number): Line[] {
  // Few publishers name a minimum; a column of nothing is not worth its width.
  const dropped = report.nodes.some(({ minimum }) => minimum !== undefined) ? -1 : HEAD.indexOf('MINIMUM');
  const shown = (cells: readonly string[]) => cells.filter((_, column) => column !== dropped);
  const rows = report.nodes.map((node) => shown(row(node, now)));
  return [
    ...stateLine(report, now),
    ...(rows.length === 0 ? [] : ['', ...table([shown(HEAD), ...rows])]),
    ...report.problems.flatMap(troubleLines),
    ...report.nodes.flatMap((node) => troubles(node)),
    ...(report.next === undefined ? [] : ['', `Next: ${report.next}`]),
  ];
}

function stateLine(report: StatusReport, now: number): Line[] {
  const lines: Line[] = [summary(report, now)];
  if (!report.systemd.known) {
    const text = `systemd did not answer (${report.systemd.why}): what is shown comes from the disk alone.`;
    lines.push({ text, tone: 'bad' });
  } else if (report.timer.active === false) {
    lines.push({ text: 'The timer is off: nothing is looked at by itself.', tone: 'bad' });
  }
  if (report.timer.lastExit === EXIT.configuration && !hasBroken(report)) {
    const text = 'The last run of the timer found errors in the configuration that are not seen from here';
    lines.push({ text: `${text}: journalctl -u node-updater.service -n 20`, tone: 'bad' });
  }
  return lines;
}

function hasBroken({ nodes, problems }: StatusReport): boolean {
  return problems.length > 0 || nodes.some(({ configuration }) => configuration === 'broken');
}

function summary({ nodes }: StatusReport, now: number): Line {
  if (nodes.length === 0) return 'No node is configured on this host: add a file to /etc/node-updater/nodes.d.';
  const quiet = nodes.filter(({ configuration, state }) => state === 'committed' && configuration === 'good').length;
  const runs = nodes.flatMap(({ nextRun }) => (nextRun === undefined ? [] : [Date.parse(nextRun)]));
  const next = runs.length === 0 ? '' : ` Next run ${ahead(Math.min(...runs), now)}.`;
  const what =
    nodes.length === 1 ? `${nodes[0]?.node ?? ''}: ${nodes[0]?.stateText ?? ''}.` : counted(nodes.length, quiet);
  const bad = nodes.some(
    ({ configuration, state }) => state === 'damaged' || state === 'needs-a-person' || configuration === 'broken',
  );
  return { text: `${what}${next}`, tone: bad ? 'bad' : quiet === nodes.length ? 'good' : 'dim' };
}

function counted(all: number, quiet: number): string {
  return quiet === all ? `${all} nodes, all committed.` : `${all} nodes, ${quiet} of them committed.`;
}

function row(node: NodeReport, now: number): string[] {
  return [
    node.node,
    node.current ?? '-',
    available(node),
    node.minimum ?? '-',
    node.stateText,
    lastResult(node, now),
    node.checked === undefined ? 'never' : ago(Date.parse(node.checked), now),
    node.nextRun === undefined ? '-' : ahead(Date.parse(node.nextRun), now),
  ];
}

/** What is suggested is named where this node is offered another: the rollout has not reached it. */
function available({ available: offered, suggested }: NodeReport): string {
  if (offered === undefined) return '-';
  return suggested === undefined || suggested === offered ? offered : `${offered} (suggested: ${suggested})`;
}

function lastResult({ last }: NodeReport, now: number): string {
  if (last === undefined) return '-';
  return `${last.to} ${last.outcome.replaceAll('-', ' ')} ${ago(Date.parse(last.at), now)}`;
}

function troubles(node: NodeReport): Line[] {
  const said = new Map(node.problems.map(({ message, remedy }) => [message, remedy]));
  const failed = lastFailure(node);
  if (failed !== undefined) said.set(failed.message, failed.remedy);
  const { checkFailure } = node;
  if (checkFailure !== undefined && checkFailure.message !== node.last?.failure?.message)
    said.set(`The last look failed: ${checkFailure.message}`, checkFailure.remedy);
  if (node.belowMinimum === true) {
    const asked = `${node.current ?? ''} is below ${node.minimum ?? ''}, the minimum that its publisher asks for`;
    said.set(asked, `See what keeps it: node-updater why ${node.node}`);
  }
  const ofNode = (message: string, remedy: string) => ({ message: `${node.node}: ${message}`, remedy });
  const warnings = (node.warnings ?? []).map(({ message, remedy }) => ofNode(message, remedy));
  const stopping = [...said].map(([message, remedy]) => ofNode(message, remedy));
  return [...stopping.flatMap(troubleLines), ...warnings.flatMap(warningLines)];
}

/** Of the last transaction, unless another is under way, or what stopped it is over. */
function lastFailure({ last, state, unit }: NodeReport): { message: string; remedy: string } | undefined {
  if (last?.failure === undefined || last.outcome === 'committed') return undefined;
  if (last.action === 'drill' && last.outcome === 'rolled-back' && passed(last.failure)) return undefined;
  if (['working', 'on-probation', 'falling-back', 'unsettled'].includes(state)) return undefined;
  const { code, message, remedy } = last.failure;
  if (code === 'HOST_NODE_STOPPED' && unit?.active === 'active') return undefined;
  return { message: `${last.to} was not committed (${last.outcome.replaceAll('-', ' ')}): ${message}`, remedy };
}
