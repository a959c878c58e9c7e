/** What `why` says to a person: each thing once, the most important first. Pure. */
import { describeQuarantine } from '../policy/decide.ts';
import type { Line } from './output.ts';
import { table } from './table.ts';
import { ago, ahead, moment } from './times.ts';
import { troubleLines, warningLines } from './trouble-text.ts';
import type { LastFailure, WhyReport } from './why.ts';

export function whyLines(report: WhyReport, now: number): Line[] {
  const next = nextCommand(report);
  return [
    headline(report, now),
    ...report.problems.flatMap(troubleLines),
    ...(isUnderWay(report) ? [] : reasonLines(report, now)),
    // Nothing waits for these, so they come last.
    ...(report.warnings ?? []).flatMap(warningLines),
    '',
    ...table(times(report, now)).map((line): Line => ({ text: line, tone: 'dim' })),
    ...(next === undefined ? [] : ['', `Next: ${next}`]),
  ];
}

/** Until what is under way has ended, nothing that was decided before it holds. */
function isUnderWay({ state }: WhyReport): boolean {
  return ['working', 'on-probation', 'falling-back', 'unsettled'].includes(state);
}

function reasonLines(report: WhyReport, now: number): Line[] {
  return [
    ...(report.upToDate ? [] : gateLines(report, now)),
    ...offeredQuarantineLines(report, now),
    ...otherQuarantineLines(report),
    ...stoppedLines(report),
    ...failureLines(report, now),
  ];
}

function headline(report: WhyReport, now: number): Line {
  const { checkFailure, answered, offered, install, gates, problems, upToDate } = report;
  const runs = runsLine(report);
  if (problems.length > 0) return { text: `${runs}. No update is taken until this is mended:`, tone: 'bad' };
  if (isUnderWay(report)) return `${runs}. Nothing else is decided before that has ended.`;
  if (install === undefined) return `${runs}. What is on offer is not known yet.`;
  if (upToDate && checkFailure !== undefined) {
    const when = answered === undefined ? '' : `, ${ago(Date.parse(answered), now)}`;
    return `${runs}. Nothing newer was on offer at the last answer${when}; since then no look has succeeded.`;
  }
  if (upToDate) return { text: `${runs}. Up to date: nothing newer is on offer, nothing to do.`, tone: 'good' };
  if (offered === undefined) return `${runs}. Nothing is on offer.`;
  if (install) return `${runs}. ${offered} is on offer, and no gate blocks it: ${whenTaken(report)}.`;
  const blocks = gates.filter(({ passed }) => !passed).map(({ gate }) => gate);
  return `${runs}. ${offered} is on offer, and blocked by: ${blocks.join(', ')}.`;
}

function runsLine({ current, node, state, stateText }: WhyReport): string {
  if (current !== undefined) return `${node} runs ${current} (${stateText})`;
  return state === 'not-installed' ? `${node} is not installed` : `${node} is not installed (${stateText})`;
}

function whenTaken(report: WhyReport): string {
  if (report.timer === 'off') return 'but the timer is off, so nothing takes it by itself';
  return waitsForNode(report) ? 'the next run stages it' : 'the next run takes it';
}

/** A first installation starts the node; later its operator has the last word. */
function waitsForNode({ current, unit }: WhyReport): boolean {
  return current !== undefined && unit === 'stopped';
}

function gateLines({ gates }: WhyReport, now: number): Line[] {
  if (gates.length === 0) return [];
  const rows = gates.map(({ passed, gate, message, opens }) => {
    const until = opens === undefined ? '' : `; opens ${ahead(Date.parse(opens), now)}, ${moment(Date.parse(opens))}`;
    return [passed ? '  pass ' : '  BLOCK', gate, `${message}${until}`];
  });
  const lines = table(rows);
  return ['', ...lines.map((text, at): Line => (gates[at]?.passed === false ? { text, tone: 'bad' } : text))];
}

/** The gate has said why; here is what can be done. */
function offeredQuarantineLines(report: WhyReport, now: number): Line[] {
  const { lastFailure, node, offered, quarantine } = report;
  if (offered === undefined || !quarantine.some(({ version }) => version === offered)) return [];
  const known = isOffered(lastFailure, report);
  const when = known ? `; the node was put back ${ago(Date.parse(lastFailure.at), now)}` : '';
  return [
    '',
    `${offered} is not tried again by itself${when}. A later version is taken all the same.`,
    ...(known ? [`  → ${lastFailure.remedy}`] : []),
    `  → To try it again: sudo node-updater upgrade ${node} --to ${offered} --force quarantine`,
  ];
}

function otherQuarantineLines({ offered, quarantine }: WhyReport): Line[] {
  const others = quarantine.filter(({ version }) => version !== offered);
  if (others.length === 0) return [];
  const lines = others.map((one) => `  ${one.version} ${describeQuarantine(one)}`);
  return ['', 'Not taken by themselves either:', ...lines];
}

function stoppedLines(report: WhyReport): Line[] {
  const { install, node } = report;
  if (!waitsForNode(report) || install !== true) return [];
  const text = `${node}.service is not running. What its operator stopped is not started by an update:`;
  return [
    '',
    text,
    `  → The release is staged, and activated once the node runs: sudo systemctl start ${node}.service`,
  ];
}

function failureLines(report: WhyReport, now: number): Line[] {
  const { checkFailure, checked, lastFailure, quarantine } = report;
  const lines: Line[] = [];
  if (checkFailure !== undefined) {
    const when = checked === undefined ? '' : ` (${ago(Date.parse(checked), now)})`;
    const message = `The last look failed${when}: ${checkFailure.message}`;
    lines.push(...troubleLines({ message, remedy: checkFailure.remedy }));
  }
  if (lastFailure === undefined || lastFailure.message === checkFailure?.message) return lines;
  // What is in quarantine has been told of above, with its reason.
  if (quarantine.some(({ message, version }) => version === lastFailure.version && message === lastFailure.message))
    return lines;
  return [...lines, ...troubleLines({ message: describeFailure(lastFailure, now), remedy: lastFailure.remedy })];
}

/** Not "failed": a mirror, a disk or a network that fails says nothing about the version (promise 9). */
function describeFailure({ at, message, outcome, version }: LastFailure, now: number): string {
  const end = outcome === 'unchanged' ? 'the node was not touched' : outcome.replaceAll('-', ' ');
  return `The last try of ${version}, ${ago(Date.parse(at), now)}, was not committed (${end}): ${message}`;
}

function isOffered(last: LastFailure | undefined, { offered, quarantine }: WhyReport): last is LastFailure {
  return quarantine.some(
    ({ message, version }) => version === offered && version === last?.version && message === last.message,
  );
}

function times(report: WhyReport, now: number): string[][] {
  const { answered, checked, expires, minimum, nextRun, suggested } = report;
  const at = (text: string | undefined): string => (text === undefined ? 'never' : ago(Date.parse(text), now));
  return [
    ['Last look', at(checked)],
    ['Last answer', at(answered)],
    ...(expires === undefined ? [] : [['Answer holds until', moment(Date.parse(expires))]]),
    ...(suggested === undefined ? [] : [['Suggested to all', suggested]]),
    ...(minimum === undefined ? [] : [['Minimum for all', minimum]]),
    ['Next run', nextRun === undefined ? noRun(report) : ahead(Date.parse(nextRun), now)],
  ];
}

function noRun({ problems, timer }: WhyReport): string {
  if (problems.length > 0) return 'none, until that is mended';
  return timer === 'off' ? 'none: the timer is off' : 'not known';
}

function nextCommand(report: WhyReport): string | undefined {
  const { install, node, problems, timer, upToDate } = report;
  if (problems.length > 0)
    return problems.some(({ code }) => code.startsWith('CONFIG_')) ? 'node-updater config --check' : undefined;
  if (isUnderWay(report)) return `node-updater status ${node}`;
  if (timer === 'off') return 'sudo systemctl enable --now node-updater.timer';
  if (install === undefined) return `sudo node-updater check ${node}`;
  if (upToDate) return undefined;
  if (install && waitsForNode(report)) return `sudo systemctl start ${node}.service, when it may run again`;
  if (install) return `sudo node-updater upgrade ${node}, or wait for the next run`;
  return `node-updater history ${node}`;
}
