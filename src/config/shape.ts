/** Reads a schema's own keys, so that messages and environment variables never drift from it. */
import * as z from 'zod';
import type { KeyPath } from './locate.ts';

/** The keys that the table at `path` may have; for a probe those of its type. */
export function shapeAt(schema: z.ZodType, input: unknown, path: KeyPath): readonly string[] {
  let here: unknown = bare(schema);
  let value = input;
  for (const part of path) {
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[part] : undefined;
    if (here instanceof z.ZodObject) here = bare(here.shape[part]);
    else if (here instanceof z.ZodArray) here = bare(here.element);
    if (here instanceof z.ZodUnion) here = optionFor(here.options, value);
  }
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}

export interface Leaf {
  readonly path: readonly string[];
  readonly schema: z.ZodType;
}

/** Every key that is no table: what one environment variable can set. */
export function leaves(schema: z.ZodType, path: readonly string[] = []): Leaf[] {
  const plain = bare(schema);
  if (!(plain instanceof z.ZodObject)) return [{ path, schema }];
  return Object.entries(plain.shape).flatMap(([key, inner]) => leaves(inner as z.ZodType, [...path, key]));
}

function bare(schema: unknown): unknown {
  return schema instanceof z.ZodOptional ? schema.unwrap() : schema;
}

function optionFor(options: readonly unknown[], value: unknown): unknown {
  return options.find((option) => {
    if (!(option instanceof z.ZodObject) || typeof value !== 'object' || value === null) return false;
    const type: unknown = option.shape['type'];
    return type instanceof z.ZodLiteral && type.safeParse((value as Record<string, unknown>)['type']).success;
  });
}
