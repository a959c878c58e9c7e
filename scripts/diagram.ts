/**
 * `npm run diagram`: draws the transition table into src/README.md, between two markers. A unit test fails when the text
 * there is not what the table gives.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { OUTCOMES, WORKING, type Event, type State, type Transaction, type Working } from '../src/machine/state.ts';
import { TRANSITIONS, begin } from '../src/machine/transitions.ts';
import type { Version } from '../src/release.ts';

export const README = fileURLToPath(new URL('../src/README.md', import.meta.url));

const BEGIN = '<!-- states: written by `npm run diagram` from machine/transitions.ts -->';
const END = '<!-- /states -->';

type Row = Partial<Readonly<Record<Event, State>>>;

/** What a failure means is what tells the parts of a transaction from each other. */
const PARTS: Readonly<Partial<Record<State, string>>> = {
  unchanged: 'the node is untouched',
  yield: 'on probation: systemd puts the version before back',
  committed: 'committed: what fails is only told',
  'rollback-failed': 'put back',
};

/** The table as a Mermaid state diagram, in the order of the table; an edge that a whole part shares is drawn once. */
export function renderDiagram(): string {
  const parts = partsOf(WORKING.filter((state) => state !== 'settle'));
  const lines = [
    'stateDiagram-v2',
    ...WORKING.filter((state) => idOf(state) !== state).map((state) => `  state "${state}" as ${idOf(state)}`),
    ...OUTCOMES.filter((state) => idOf(state) !== state).map((state) => `  state "${state}" as ${idOf(state)}`),
    ...beginnings(),
    '  [*] --> settle : a transaction was left open',
    ...[...parts].flatMap(([failed, states]) => renderPart(failed, states)),
    ...edges('settle', TRANSITIONS.settle, '  '),
    ...[...parts.values()].flat().flatMap((state) => edges(state, outward(state, parts), '  ')),
    '  yield --> settle : revert@ has run',
    ...OUTCOMES.map((outcome) => `  ${idOf(outcome)} --> [*]`),
  ];
  return lines.join('\n');
}

/** `readme` with the diagram between the markers. Throws when they are not there. */
export function withDiagram(readme: string): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin === -1 || end < begin) throw new Error(`src/README.md needs the lines ${BEGIN} and ${END}`);
  return `${readme.slice(0, begin)}${BEGIN}\n\n\`\`\`mermaid\n${renderDiagram()}\n\`\`\`\n\n${readme.slice(end)}`;
}

function partsOf(states: readonly Working[]): ReadonlyMap<State, readonly Working[]> {
  const parts = new Map<State, Working[]>();
  for (const state of states) {
    const failed = TRANSITIONS[state].failed ?? 'yield';
    parts.set(failed, [...(parts.get(failed) ?? []), state]);
  }
  return parts;
}

function beginnings(): string[] {
  const actions = ['install', 'upgrade', 'rollback'] as const;
  const by = new Map<Working, Transaction['action'][]>();
  for (const action of actions) {
    const state = begin({ id: '', action, to: '' as Version });
    by.set(state, [...(by.get(state) ?? []), action]);
  }
  return [...by].map(([state, from]) => `  [*] --> ${idOf(state)} : ${from.join(', ')}`);
}

function renderPart(failed: State, states: readonly Working[]): string[] {
  const id = `part_${idOf(failed)}`;
  const within = states.flatMap((state) =>
    edges(
      state,
      only(TRANSITIONS[state], (event, to) => event !== 'failed' && includes(states, to)),
      '    ',
    ),
  );
  const lone = states.filter((state) => !within.some((edge) => edge.split(' ').includes(idOf(state))));
  return [
    `  state "${PARTS[failed] ?? `a failure ends ${failed}`}" as ${id} {`,
    ...within,
    ...lone.map((state) => `    ${idOf(state)}`),
    '  }',
    `  ${id} --> ${idOf(failed)} : failed`,
  ];
}

/** What leads out of a state's part, but for the failure that all of the part share. */
function outward(state: Working, parts: ReadonlyMap<State, readonly Working[]>): Row {
  const mine = [...parts.values()].find((states) => states.includes(state)) ?? [];
  return only(TRANSITIONS[state], (event, to) => event !== 'failed' && !includes(mine, to));
}

function only(row: Row, keep: (event: Event, to: State) => boolean): Row {
  return Object.fromEntries(Object.entries(row).filter(([event, to]) => keep(event as Event, to)));
}

/** One edge for each target, with all the events that lead there. */
function edges(from: Working, row: Row, indent: string): string[] {
  const events = Map.groupBy(Object.entries(row), ([, to]) => to);
  return [...events].map(
    ([to, pairs]) => `${indent}${idOf(from)} --> ${idOf(to)} : ${pairs.map(([event]) => event).join(', ')}`,
  );
}

function includes(states: readonly State[], state: State): boolean {
  return states.includes(state);
}

/** Mermaid reads a hyphen in a name as the beginning of an arrow. */
function idOf(state: State): string {
  return state.replaceAll('-', '_');
}

if (import.meta.main) writeFileSync(README, withDiagram(readFileSync(README, 'utf8')));
