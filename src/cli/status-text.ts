import { EXIT } from '../errors.ts';
import type { Line } from './output.ts';
import type { NodeReport, StatusReport } from './status-report.ts';
import { table } from './table.ts';
import { ago, ahead } from './times.ts';

const HEAD = ['NODE', 'CURRENT', 'AVAILABLE', 'STATE', 'LAST RESULT', 'LAST CHECK', 'NEXT RUN'];

/** One screen: a state line, a row for each node, what is wrong, what to type next. Pure. */
export function statusLines(report: StatusReport, now: number): Line[] {
  const rows = report.nodes.map((node) => row(node, report, now));
  return [
    ...stateLine(report, now),
    ...(rows.length === 0 ? [] : ['', ...table([HEAD, ...rows])]),
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
  if (report.timer.lastExit === EXIT.configuration) {
    lines.push({ text: 'The configuration has errors: what they stop is not updated.', tone: 'bad' });
  }
  return lines;
}

function summary({ nodes, timer }: StatusReport, now: number): Line {
  if (nodes.length === 0) return 'No node is configured on this host: add a file to /etc/node-updater/nodes.d.';
  const quiet = nodes.filter(({ state }) => state === 'committed').length;
  const next = timer.next === undefined ? '' : ` Next run ${ahead(Date.parse(timer.next), now)}.`;
  const what =
    nodes.length === 1 ? `${nodes[0]?.node ?? ''}: ${nodes[0]?.stateText ?? ''}.` : counted(nodes.length, quiet);
  const bad = nodes.some(({ state }) => state === 'damaged' || state === 'needs-a-person');
  return { text: `${what}${next}`, tone: bad ? 'bad' : quiet === nodes.length ? 'good' : 'dim' };
}

function counted(all: number, quiet: number): string {
  return quiet === all ? `${all} nodes, all committed.` : `${all} nodes, ${quiet} of them committed.`;
}

function row(node: NodeReport, { timer }: StatusReport, now: number): string[] {
  return [
    node.node,
    node.current ?? '-',
    node.available ?? '-',
    node.stateText,
    lastResult(node, now),
    node.checked === undefined ? 'never' : ago(Date.parse(node.checked), now),
    timer.next === undefined ? '-' : ahead(Date.parse(timer.next), now),
  ];
}

function lastResult({ last }: NodeReport, now: number): string {
  if (last === undefined) return '-';
  return `${last.to} ${last.outcome.replaceAll('-', ' ')} ${ago(Date.parse(last.at), now)}`;
}

function troubles(node: NodeReport): Line[] {
  const failed = node.last?.outcome === 'committed' ? undefined : node.last?.failure;
  const said = [
    ...node.problems.map(({ message, remedy }) => ({ what: message, remedy })),
    ...(failed === undefined ? [] : [{ what: failed.message, remedy: failed.remedy }]),
    ...(node.checkFailure === undefined
      ? []
      : [{ what: `The last look failed: ${node.checkFailure.message}`, remedy: node.checkFailure.remedy }]),
  ];
  return said.flatMap(({ what, remedy }): Line[] => [
    '',
    { text: `${node.node}: ${what}`, tone: 'bad' },
    `  → ${remedy}`,
  ]);
}
