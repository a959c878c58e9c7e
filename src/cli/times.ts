/** Times as people read them. All in milliseconds. */

const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
];

/** The largest unit that fits, and the next below it where it says something: `2 h 5 min`, `45 s`. */
export function span(ms: number): string {
  const at = UNITS.findIndex(([, size]) => ms >= size);
  if (at === -1) return ms > 0 ? `${Math.round(ms)} ms` : '0 s';
  const [unit, size] = UNITS[at] ?? ['s', 1000];
  const [small, smallSize] = UNITS[at + 1] ?? ['ms', 1];
  const rest = Math.floor((ms % size) / smallSize);
  const whole = `${Math.floor(ms / size)} ${unit}`;
  return rest === 0 || small === 'ms' ? whole : `${whole} ${rest} ${small}`;
}

/** One unit only: where a column must stay narrow. */
function roughly(ms: number): string {
  const [unit, size] = UNITS.find(([, least]) => ms >= least) ?? ['s', 1000];
  return `${Math.floor(ms / size)} ${unit}`;
}

/** `12 min ago`, `in 23 min`; a clock that was set back makes no negative ages. */
export function ago(at: number, now: number): string {
  return at > now ? 'just now' : `${roughly(now - at)} ago`;
}

export function ahead(at: number, now: number): string {
  return at <= now ? 'now' : `in ${roughly(at - now)}`;
}

/** `2026-11-20 02:13:05Z`. */
export function moment(ms: number): string {
  return new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
