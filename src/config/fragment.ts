/** One file or variable: what it sets, where each key stands, and what is wrong with it. */
import { parse, TomlError } from 'smol-toml';
import type * as z from 'zod';
import { locateKeys, locateNearest, type KeyPath } from './locate.ts';
import { complaintsOf, writeKey, type Place, type Problem } from './problems.ts';

export type Table = Readonly<Record<string, unknown>>;

export interface Fragment {
  /** As written; only this much is merged, and validated again when it is. */
  readonly raw: Table;
  placeOf(path: KeyPath): Place;
}

export interface ReadFragment {
  readonly fragment: Fragment;
  readonly problems: readonly Problem[];
}

/** A file whose syntax is broken sets nothing and has one problem: a parser cannot tell the second error from the first. */
export function readFragment(file: string, text: string, schema: z.ZodType, stops: Problem['stops']): ReadFragment {
  try {
    // Nested arrays and tables of ours are four deep at most.
    const raw = parse(text, { maxDepth: 16 });
    const locate = locateKeys(text);
    const placeOf = (path: KeyPath): Place => {
      const line = locateNearest(locate, path);
      return line === undefined ? { type: 'file', file } : { type: 'file', file, line };
    };
    return checkFragment({ raw, placeOf }, schema, stops);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const place: Place = { type: 'file', file, line: error.line };
    return { fragment: { raw: {}, placeOf: () => place }, problems: [syntaxProblem(error, place, stops)] };
  }
}

export function checkFragment(fragment: Fragment, schema: z.ZodType, stops: Problem['stops']): ReadFragment {
  const result = schema.safeParse(fragment.raw);
  if (result.success) return { fragment, problems: [] };
  const problems = complaintsOf(schema, result.error, fragment.raw).map(({ path, message }): Problem => {
    const place = fragment.placeOf(path);
    return {
      severity: 'error',
      code: 'CONFIG_INVALID',
      stops,
      place,
      key: writeKey(path),
      message,
      remedy: mend(place),
    };
  });
  return { fragment, problems };
}

export function mend(place: Place): string {
  if (place.type === 'variable') return `Correct or unset the variable ${place.variable}.`;
  return place.type === 'file' ? `Edit ${place.file}.` : 'Set the key.';
}

function syntaxProblem(error: TomlError, place: Place, stops: Problem['stops']): Problem {
  const what = error.message.split('\n', 1).join('').replace('Invalid TOML document: ', '');
  return {
    severity: 'error',
    code: 'CONFIG_SYNTAX',
    stops,
    place,
    message: `is not TOML: ${what} (column ${error.column}).`,
    remedy: mend(place),
  };
}
