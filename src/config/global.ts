import { UpdaterError } from '../errors.ts';
import type { GlobalSettings } from '../settings.ts';
import type { Fragment, Table } from './fragment.ts';
import { globalSchema } from './schema.ts';

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
    fetch: {
      connectTimeout: given(set.fetch?.connect_timeout),
      headersTimeout: given(set.fetch?.headers_timeout),
      minimumSpeed: given(set.fetch?.minimum_speed),
      slowWindow: given(set.fetch?.slow_window),
      totalTimeout: given(set.fetch?.total_timeout),
    },
  };
}

/** A key that the defaults set. */
export function given<T>(value: T | undefined): T {
  if (value !== undefined) return value;
  throw new UpdaterError('INTERNAL', 'a key of the configuration has no default', {
    remedy: 'This is a fault in node-updater. Please report it with the output of `node-updater config --json`.',
  });
}
