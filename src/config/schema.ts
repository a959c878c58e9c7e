/**
 * The shape of a configuration file: which keys there are, and what each may hold. Every key is optional here, because a
 * drop-in may set any one of them; what must be there in the end is decided in global.ts and node.ts.
 */
import * as z from 'zod';
import { LIMITS } from '../limits.ts';
import { parseFingerprint } from '../release.ts';
import { loopbackHost, probeUrl, proxyUrl, sourceUrl } from './address.ts';
import { command } from './command.ts';
import { versionPattern } from './pattern.ts';
import {
  absolutePath,
  cpuQuota,
  description,
  duration,
  glob,
  integer,
  kindOf,
  matching,
  memoryLimit,
  plainText,
  relativePath,
  size,
  truth,
} from './text.ts';
import { accepted, formatDuration, refused, type Parsed } from './units.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A value whose refusal is told in our own words. */
function value<T>(read: (input: unknown) => Parsed<T>) {
  return z.unknown().transform((input, context): T => {
    const parsed: Parsed<T> = input === undefined ? refused('is missing') : read(input);
    if (parsed.ok) return parsed.value;
    context.addIssue({ code: 'custom', message: parsed.why });
    return z.NEVER;
  });
}

function optional<T>(read: (input: unknown) => Parsed<T>) {
  return value(read).optional();
}

const time = (least: number, most: number) => duration(least, most, formatDuration);

function oneOf<const T extends string>(...names: readonly T[]) {
  return (input: unknown): Parsed<T> => {
    const found = names.find((name) => name === input);
    return found === undefined ? refused(`must be one of ${names.map((n) => `"${n}"`).join(', ')}`) : accepted(found);
  };
}

/** A single value, or an array of them. */
function oneOrMore<T>(read: (input: unknown) => Parsed<T>) {
  return (input: unknown): Parsed<readonly T[]> => {
    const inputs: readonly unknown[] = Array.isArray(input) ? input : [input];
    const values: T[] = [];
    for (const item of inputs) {
      const parsed = read(item);
      if (!parsed.ok) return parsed;
      values.push(parsed.value);
    }
    return values.length === 0 ? refused('must not be empty') : accepted(values);
  };
}

function listOf<T>(read: (input: unknown) => Parsed<T>) {
  return (input: unknown): Parsed<readonly T[]> => {
    if (!Array.isArray(input)) return refused(`must be an array, not ${kindOf(input)}`);
    return input.length === 0 ? accepted([]) : oneOrMore(read)(input);
  };
}

function environment(input: unknown): Parsed<Readonly<Record<string, string>>> {
  if (kindOf(input) !== 'a table') return refused(`must be a table such as { NAME = "value" }, not ${kindOf(input)}`);
  const entries: [string, string][] = [];
  for (const [name, item] of Object.entries(input as object)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return refused(`has a name that is none: ${JSON.stringify(name)}`);
    const text = item === '' ? accepted('') : plainText(item);
    if (!text.ok) return refused(`has a value, ${name}, that ${text.why}`);
    entries.push([name, text.value]);
  }
  return accepted(Object.fromEntries(entries));
}

function fingerprint(input: unknown) {
  const parsed = typeof input === 'string' ? parseFingerprint(input) : undefined;
  if (parsed !== undefined) return accepted(parsed);
  return refused('must be a full fingerprint, 40 or 64 hexadecimal digits (gpg --show-keys --with-fingerprint FILE)');
}

const account = matching(
  /^([A-Za-z_][A-Za-z0-9_-]{0,30}|\d{1,9})$/,
  'the name or number of an account: letters, digits, "_" and "-"',
);
const name = matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'up to 64 letters, digits, ".", "_" or "-"');
const keyFile = matching(
  /^(?!.*(^|\/)\.\.?(\/|$))[^/].*$|^\/(?!.*(^|\/)\.\.?(\/|$)).+$/,
  'the name of a file in keys.d, or an absolute path',
);

function mirrors(input: unknown): Parsed<readonly string[]> {
  const urls = oneOrMore(sourceUrl)(input);
  if (!urls.ok || urls.value.length <= LIMITS.mirrorsPerSource) return urls;
  return refused(
    `names ${urls.value.length} mirrors; at most ${LIMITS.mirrorsPerSource}, for each is asked at every look`,
  );
}

/** Slower than this, the pauses are so long that servers hang up in them. */
const LEAST_SPEED_LIMIT = 16 * 1024;

function speedLimit(input: unknown): Parsed<number> {
  const parsed = size(0)(input);
  if (!parsed.ok || parsed.value === 0 || parsed.value >= LEAST_SPEED_LIMIT) return parsed;
  return refused('is too small; at least 16K, or 0 for no limit');
}

export const globalSchema = z.strictObject({
  heartbeat_timeout: optional(time(30 * SECOND, HOUR)),
  log_level: optional(oneOf('error', 'warn', 'info', 'debug')),
  fetch: z
    .strictObject({
      connect_timeout: optional(time(SECOND, 10 * MINUTE)),
      headers_timeout: optional(time(SECOND, HOUR)),
      minimum_speed: optional(size(0)),
      slow_window: optional(time(SECOND, HOUR)),
      total_timeout: optional(time(MINUTE, 7 * DAY)),
      maximum_speed: optional(speedLimit),
      proxy: optional(proxyUrl),
      no_proxy: optional(listOf(plainText)),
      ca_file: optional(absolutePath),
    })
    .optional(),
});

const probe = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('http'),
    url: value(probeUrl),
    status: optional(integer(100, 599)),
    contains: optional(plainText),
  }),
  z.strictObject({ type: z.literal('tcp'), host: optional(loopbackHost), port: value(integer(1, 65_535)) }),
  z.strictObject({ type: z.literal('unix'), path: value(absolutePath) }),
  z.strictObject({ type: z.literal('exec'), command: value(command) }),
]);

export const nodeSchema = z.strictObject({
  interval: optional(time(MINUTE, 30 * DAY)),
  keep_versions: optional(integer(2, 100)),
  mounts: optional(listOf(absolutePath)),
  binary: optional(relativePath),
  source: z
    .strictObject({
      type: optional(oneOf('manifest')),
      url: optional(mirrors),
      name: optional(name),
      channel: optional(name),
      insecure_http: optional(truth),
    })
    .optional(),
  trust: z
    .strictObject({
      key_set: optional(integer(1, LIMITS.keySets)),
      threshold: optional(integer(1, LIMITS.keysPerSet)),
      keys: z.array(z.strictObject({ file: value(keyFile), fingerprint: value(fingerprint) })).optional(),
    })
    .optional(),
  version: z.strictObject({ args: optional(listOf(plainText)), pattern: optional(versionPattern) }).optional(),
  gate: z
    .strictObject({
      soak: optional(time(SECOND, 7 * DAY)),
      start_timeout: optional(time(SECOND, DAY)),
      interval: optional(time(100, HOUR)),
      timeout: optional(time(100, 10 * MINUTE)),
      grace: optional(time(0, DAY)),
      failures: optional(integer(1, 1000)),
      probe: z.array(probe).optional(),
    })
    .optional(),
  unit: z
    .strictObject({
      description: optional(description),
      exec: optional(command),
      type: optional(oneOf('simple', 'exec', 'notify')),
      user: optional(account),
      group: optional(account),
      working_directory: optional(absolutePath),
      environment: optional(environment),
      restart: optional(oneOf('always', 'on-failure', 'no')),
      restart_delay: optional(time(0, HOUR)),
      stop_timeout: optional(time(SECOND, DAY)),
      memory_max: optional(memoryLimit),
      cpu_quota: optional(cpuQuota),
    })
    .optional(),
  backup: z
    .strictObject({
      paths: optional(oneOrMore(absolutePath)),
      exclude: optional(listOf(glob)),
      never_restore: optional(listOf(glob)),
      directory: optional(absolutePath),
      keep: optional(integer(1, 1000)),
      keep_age: optional(time(HOUR, 3650 * DAY)),
      keep_size: optional(size(1024 ** 2)),
      method: optional(oneOf('auto', 'reflink', 'snapshot', 'copy')),
      before: optional(oneOf('upgrade', 'epoch')),
      longest: optional(time(SECOND, 7 * DAY)),
    })
    .optional(),
});

export type GlobalFragment = z.output<typeof globalSchema>;
export type NodeFragment = z.output<typeof nodeSchema>;
