import type { Clock, Files, Log } from '../host/ports.ts';
import type { Patience } from './patience.ts';
import type { FetchFile } from '../orders.ts';
import type { FetchSettings } from '../settings.ts';
import type { HttpClient } from './client.ts';

/** What the fetch room is given by main.ts. */
export interface FetchDeps {
  readonly clock: Pick<Clock, 'now' | 'monotonic' | 'wait'>;
  readonly files: Pick<Files, 'replace'>;
  readonly log: Log;
  /** In [0, 1): the jitter of the back-off. */
  readonly random: () => number;
  /** Aborted on SIGTERM: what has come stays for the next run to resume. */
  readonly signal: AbortSignal;
  /** For the User-Agent. */
  readonly version: string;
  /** Where http_proxy, https_proxy and no_proxy are looked up if the settings name no proxy. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** One file of the order, and all that is needed to bring it. */
export interface Task {
  readonly file: FetchFile;
  readonly directory: string;
  readonly settings: FetchSettings;
  readonly insecureHttp: boolean;
  readonly client: HttpClient;
  /** Absent: every server is asked, whatever it asked for before. */
  readonly patience?: Patience;
  /** Servers that have used up their tries at an earlier file of this order: they get one at each further file, until one works. */
  readonly exhausted: Set<string>;
  readonly deps: FetchDeps;
}

/** How one URL ended well. Failure is thrown. */
export type Brought =
  { readonly kind: 'fetched'; readonly bytes: number; readonly etag?: string } | { readonly kind: 'not-modified' };
