/**
 * Durations and sizes as systemd writes them (systemd.time(7), "Parsing Time Spans"; systemd.syntax(7)), so that an
 * operator has one notation for units and for our files. Pure; never throws.
 */

/** A value, or the reason why the text is none: half a sentence that fits behind a key's name. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string };

export function accepted<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

export function refused(why: string): Parsed<never> {
  return { ok: false, why };
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
// systemd's own mean month and year: 30.4375 and 365.25 days.
const YEAR = 365.25 * DAY;

/** Milliseconds by name. `m` is a minute and `M` a month, as in systemd. */
const TIME_UNITS: ReadonlyMap<string, number> = new Map(
  (
    [
      [0.001, ['us', 'usec', 'µs', 'μs']],
      [1, ['ms', 'msec']],
      [SECOND, ['', 's', 'sec', 'second', 'seconds']],
      [MINUTE, ['m', 'min', 'minute', 'minutes']],
      [HOUR, ['h', 'hr', 'hour', 'hours']],
      [DAY, ['d', 'day', 'days']],
      [7 * DAY, ['w', 'week', 'weeks']],
      [YEAR / 12, ['M', 'month', 'months']],
      [YEAR, ['y', 'year', 'years']],
    ] as const
  ).flatMap(([factor, names]) => names.map((name) => [name, factor] as const)),
);

const TIME_PART = /\s*(\d+(?:\.\d+)?|\.\d+)(?![.\d])\s*([a-zA-Zµμ]*)\s*/uy;

/** `90` (seconds), `1h 30min`, `1.5h`; milliseconds. A part smaller than a millisecond is rounded. */
export function parseDuration(text: string): Parsed<number> {
  if (text.trim() === 'infinity') return refused('has no meaning as "infinity"; give a length of time');
  const part = new RegExp(TIME_PART);
  let total = 0;
  while (part.lastIndex < text.length) {
    const match = part.exec(text);
    if (match === null) return notADuration(text);
    const factor = TIME_UNITS.get(match[2] ?? '');
    if (factor === undefined) return refused(`has an unknown unit of time, ${JSON.stringify(match[2])}`);
    total += Number(match[1]) * factor;
  }
  if (text.trim() === '') return notADuration(text);
  const rounded = Math.round(total);
  return Number.isSafeInteger(rounded) ? accepted(rounded) : refused('is too long');
}

function notADuration(text: string): Parsed<never> {
  return refused(`is no length of time: ${JSON.stringify(text)}; write for example "90s" or "1h 30min"`);
}

/** The shortest form that `parseDuration` and systemd read back as the same time. `ms`: a whole number, 0 or more. */
export function formatDuration(ms: number): string {
  const parts: string[] = [];
  let rest = ms;
  for (const [name, factor] of [
    ['d', DAY],
    ['h', HOUR],
    ['min', MINUTE],
    ['s', SECOND],
    ['ms', 1],
  ] as const) {
    const count = Math.floor(rest / factor);
    if (count > 0) parts.push(`${count}${name}`);
    rest -= count * factor;
  }
  return parts.join(' ') || '0s';
}

const SIZE = /^(\d+(?:\.\d+)?)\s*([KMGTPE]?)B?$/;
const SIZE_UNITS = ['', 'K', 'M', 'G', 'T', 'P', 'E'];

/** `512M`, `2G`, `1.5G`, `4096`; bytes, to base 1024 as systemd counts memory. */
export function parseSize(text: string): Parsed<number> {
  if (text.trim() === 'infinity') return refused('has no meaning as "infinity"; give a size');
  const match = SIZE.exec(text.trim());
  if (match === null) {
    return refused(`is no size: ${JSON.stringify(text)}; write for example "512M" or "2G" (K, M, G, T to base 1024)`);
  }
  const bytes = Math.floor(Number(match[1]) * 1024 ** SIZE_UNITS.indexOf(match[2] ?? ''));
  return Number.isSafeInteger(bytes) ? accepted(bytes) : refused('is too large');
}

/** The largest unit that says the number of bytes exactly. */
export function formatSize(bytes: number): string {
  let rest = bytes;
  let unit = 0;
  while (rest > 0 && rest % 1024 === 0 && unit < SIZE_UNITS.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${rest}${SIZE_UNITS[unit] ?? ''}`;
}

/** A share such as `80%` or `12.5%`, as systemd reads it: at most two digits behind the point; in hundredths of a percent. */
export function parsePercent(text: string): Parsed<number> {
  const match = /^(\d{1,6})(?:\.(\d{1,2}))?%$/.exec(text.trim());
  if (match === null) return refused(`is no percentage: ${JSON.stringify(text)}; write for example "80%"`);
  return accepted(Number(match[1]) * 100 + Number((match[2] ?? '').padEnd(2, '0')));
}
