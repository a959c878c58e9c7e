/** `node-updater config`: what holds on this host and who said so; `--check`: everything that is wrong with it. */
import { findNode, type Loaded } from '../config/load.ts';
import type { Entry } from '../config/merge.ts';
import { describePlace, describeProblem, type Problem } from '../config/problems.ts';
import { writeValue } from '../config/write.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { NodeName } from '../release.ts';

/** Takes whole lines. */
export type Out = (text: string) => void;

export type ConfigFormat = 'text' | 'json';

/**
 * Prints every key that holds, with its origin, as TOML that could be pasted back; of one node, or of all and the global
 * settings. Problems go to `err` (in JSON they are part of the answer). Throws CONFIG_UNKNOWN_NODE.
 */
export function showConfig(
  loaded: Loaded,
  request: { readonly node?: string; readonly format: ConfigFormat },
  out: Out,
  err: Out,
): ExitCode {
  const nodes = request.node === undefined ? [...loaded.nodes.keys()] : [findNode(loaded, request.node)];
  const problems = request.node === undefined ? loaded.problems : problemsAbout(loaded, nodes);
  if (request.format === 'json') {
    out(`${JSON.stringify(asJson(loaded, request.node === undefined ? 'host' : 'node', nodes, problems), null, 2)}\n`);
  } else {
    const sections = nodes.map((node) => section(`node ${node}`, loaded.nodes.get(node) ?? []));
    if (request.node === undefined) sections.unshift(section('all nodes', loaded.global));
    out(sections.join('\n'));
    for (const problem of problems) err(`${problem.severity}: ${describeProblem(problem)}\n`);
  }
  return exitFor(problems);
}

/**
 * Says all problems, or that there are none; of one node, or of all. 78 when there is an error; warnings alone do not fail the
 * check. Throws CONFIG_UNKNOWN_NODE.
 */
export function checkConfig(
  loaded: Loaded,
  request: { readonly node?: string; readonly format: ConfigFormat },
  out: Out,
): ExitCode {
  const nodes = request.node === undefined ? [...loaded.nodes.keys()] : [findNode(loaded, request.node)];
  const problems = request.node === undefined ? loaded.problems : problemsAbout(loaded, nodes);
  if (request.format === 'json') {
    out(`${JSON.stringify({ schema: 1, problems: problems.map(problemAsJson) }, null, 2)}\n`);
  } else {
    for (const problem of problems) out(`${problem.severity}: ${describeProblem(problem)}\n  ${problem.remedy}\n`);
    const errors = problems.filter(({ severity }) => severity === 'error').length;
    out(`${count(nodes.length, 'node')}, ${count(errors, 'error')}, ${count(problems.length - errors, 'warning')}\n`);
  }
  return exitFor(problems);
}

function exitFor(problems: readonly Problem[]): ExitCode {
  return problems.some(({ severity }) => severity === 'error') ? EXIT.configuration : EXIT.done;
}

function problemsAbout(loaded: Loaded, nodes: readonly NodeName[]): Problem[] {
  return loaded.problems.filter(({ stops }) => stops === 'all' || nodes.some((node) => node === stops));
}

function section(title: string, entries: readonly Entry[]): string {
  const rows = entries.map(
    ({ key, value, origin }) => [`${key} = ${writeValue(value)}`, describePlace(origin)] as const,
  );
  const width = Math.min(60, Math.max(0, ...rows.map(([text]) => text.length)));
  return [`# ${title}`, ...rows.map(([text, origin]) => `${text.padEnd(width)}  # ${origin}`), ''].join('\n');
}

function asJson(
  loaded: Loaded,
  scope: 'host' | 'node',
  nodes: readonly NodeName[],
  problems: readonly Problem[],
): Record<string, unknown> {
  return {
    schema: 1,
    ...(scope === 'host' ? { global: loaded.global.map(entryAsJson) } : {}),
    nodes: Object.fromEntries(nodes.map((node) => [node, (loaded.nodes.get(node) ?? []).map(entryAsJson)])),
    problems: problems.map(problemAsJson),
  };
}

function entryAsJson({ key, value, origin }: Entry): Record<string, unknown> {
  return { key, value, origin };
}

function problemAsJson({ severity, code, stops, place, key, message, remedy }: Problem): Record<string, unknown> {
  return { severity, code, stops, place, ...(key === undefined ? {} : { key }), message, remedy };
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
