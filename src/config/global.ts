import { UpdaterError } from '../errors.ts';
import type { FetchSettings, GlobalSettings } from '../settings.ts';
import type { Fragment, Table } from './fragment.ts';
import { globalSchema, type GlobalFragment } from './schema.ts';

/** The lowest fragment of all, in the operator's notation, so that `node-updater config` can print it. */
export const GLOBAL_DEFAULTS: Fragment = {
  raw: {
    heartbeat_timeout: '2min',
    log_level: 'info',
    fetch: {
      connect_timeout: '10s',
      headers_timeout: '30s',
      minimum_speed: '4K',
      slow_window: '30s',
      total_timeout: '6h',
      maximum_speed: 0,
    },
  },
  placeOf: () => ({ type: 'default' }),
};

/**
 * `raw` is what was merged over GLOBAL_DEFAULTS. Where that is refused, which is reported elsewhere and stops every
 * transaction, the defaults stand in, so that `status` and the log still work.
 */
export function globalSettings(raw: Table): GlobalSettings {
  const merged = globalSchema.safeParse(raw);
  const set = merged.success ? merged.data : globalSchema.parse(GLOBAL_DEFAULTS.raw);
  return {
    heartbeatTimeout: given(set.heartbeat_timeout),
    logLevel: given(set.log_level),
    fetch: fetchSettings(given(set.fetch)),
  };
}

function fetchSettings(set: NonNullable<GlobalFragment['fetch']>): FetchSettings {
  return {
    connectTimeout: given(set.connect_timeout),
    headersTimeout: given(set.headers_timeout),
    minimumSpeed: given(set.minimum_speed),
    slowWindow: given(set.slow_window),
    totalTimeout: given(set.total_timeout),
    maximumSpeed: given(set.maximum_speed),
    ...(set.proxy === undefined ? {} : { proxy: set.proxy }),
    ...(set.no_proxy === undefined ? {} : { noProxy: set.no_proxy }),
    ...(set.ca_file === undefined ? {} : { caFile: set.ca_file }),
  };
}

/** A key that the defaults set. */
export function given<T>(value: T | undefined): T {
  if (value !== undefined) return value;
  throw new UpdaterError('INTERNAL', 'a key of the configuration has no default', {
    remedy: 'This is a fault in node-updater. Please report it with the output of `node-updater config --json`.',
  });
}
