/** What is wrong with the configuration: all of it at once, each with its place, so that one edit can mend it. */
import type * as z from 'zod';
import { UpdaterError, type ErrorCode } from '../errors.ts';
import type { NodeName } from '../release.ts';
import { kindOf } from './text.ts';
import type { KeyPath } from './locate.ts';
import { shapeAt } from './shape.ts';
import { didYouMean } from './suggest.ts';

export type ConfigCode = Extract<ErrorCode, `CONFIG_${string}`>;

export interface Problem {
  /** A warning stops nothing. */
  readonly severity: 'error' | 'warning';
  readonly code: ConfigCode;
  /** Whom it stops: every node, one node, or none (a file that is nobody's). */
  readonly stops: 'all' | 'none' | NodeName;
  readonly place: Place;
  /** As a person writes it: `gate.probe[0].url`. */
  readonly key?: string;
  /** Whole sentence. */
  readonly message: string;
  readonly remedy: string;
}

export type Place =
  | { readonly type: 'file'; readonly file: string; readonly line?: number }
  | { readonly type: 'variable'; readonly variable: string }
  | { readonly type: 'default' };

export function describePlace(place: Place): string {
  if (place.type === 'file') return place.line === undefined ? place.file : `${place.file}:${place.line}`;
  return place.type === 'variable' ? `environment ${place.variable}` : 'default';
}

/** `FILE:LINE: KEY message`, one line. */
export function describeProblem(problem: Problem): string {
  const key = problem.key === undefined ? '' : `${problem.key} `;
  return `${describePlace(problem.place)}: ${key}${problem.message}`;
}

export function writeKey(path: KeyPath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const word = /^[A-Za-z0-9_-]+$/.test(part) ? part : JSON.stringify(part);
    return text === '' ? word : `${text}.${word}`;
  }, '');
}

/** One error that says all of `problems`; its code is that of the first. */
export function configError(problems: readonly [Problem, ...Problem[]]): UpdaterError {
  const lines = problems.map(describeProblem);
  const [first] = problems;
  const message = lines.length === 1 ? lines.join('') : `${lines.length} problems:\n${lines.join('\n')}`;
  return new UpdaterError(first.code, message, {
    remedy: `${first.remedy} \`node-updater config --check\` tells whether all is well.`,
  });
}

export interface Complaint {
  readonly path: KeyPath;
  readonly message: string;
}

/** zod's issues in our own words. */
export function complaintsOf(schema: z.ZodType, error: z.ZodError, input: unknown): Complaint[] {
  return error.issues.flatMap((issue): Complaint[] => {
    const path = issue.path.filter((part) => typeof part !== 'symbol');
    if (issue.code === 'unrecognized_keys') {
      const known = shapeAt(schema, input, path);
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: `is not a known key.${didYouMean(key, known)}${didYouMean(key, known) === '' ? list(known) : ''}`,
      }));
    }
    return [{ path, message: wording(issue, at(input, path)) }];
  });
}

function wording(issue: z.core.$ZodIssue, input: unknown): string {
  if (issue.code === 'invalid_union' && 'options' in issue) {
    const names = (issue.options as readonly unknown[]).map((option) => JSON.stringify(option)).join(', ');
    return input === undefined ? `is missing; it is one of ${names}.` : `must be one of ${names}.`;
  }
  if (issue.code === 'invalid_type') {
    const wanted = issue.expected === 'array' ? 'an array' : issue.expected === 'object' ? 'a table' : issue.expected;
    return input === undefined ? 'is missing.' : `must be ${wanted}, not ${kindOf(input)}.`;
  }
  return `${issue.message}.`;
}

function at(input: unknown, path: KeyPath): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[part] : undefined,
    input,
  );
}

function list(known: readonly string[]): string {
  return known.length === 0 ? '' : ` Known here: ${known.join(', ')}.`;
}
