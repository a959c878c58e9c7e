import { isTable } from './merge.ts';

/** A value as TOML writes it on one line. */
export function writeValue(value: unknown): string {
  if (typeof value === 'string') return writeString(value);
  if (Array.isArray(value)) return value.length === 0 ? '[]' : `[${value.map(writeValue).join(', ')}]`;
  if (isTable(value)) {
    const pairs = Object.entries(value).map(([key, inner]) => `${writeTableKey(key)} = ${writeValue(inner)}`);
    return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
  }
  return value instanceof Date ? value.toISOString() : String(value);
}

function writeTableKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : writeString(key);
}

/** JSON's escapes are TOML's too; what JSON leaves and a terminal would obey is escaped as well. */
function writeString(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u007f-\u009f\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
