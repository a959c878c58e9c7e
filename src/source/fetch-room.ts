/**
 * The transaction's side of the fetch room: writes the order, starts the unit, reads its report. What the report says is
 * believed for wording and for trying again, never for trust: its bytes come from a process that talks to the network.
 */
import { randomUUID } from 'node:crypto';
import { UpdaterError } from '../errors.ts';
import type { Files, Heartbeat, SystemBus } from '../host/ports.ts';
import type { NodeLayout } from '../layout.ts';
import type { FetchFile, FetchFileReport, FetchReport } from '../orders.ts';
import { fetchFailure } from './fetch-failure.ts';
import { parseReport } from './fetch-report.ts';
import type { FetchSettings, NodeSettings } from '../settings.ts';

const REPORT = 'fetch-report.json';
const REPORT_LIMIT = 64 * 1024;
/** On top of what all downloads may take, in milliseconds. */
const MARGIN = 60_000;

export interface FetchContext {
  readonly layout: NodeLayout;
  readonly settings: NodeSettings;
  readonly fetch: FetchSettings;
  readonly files: Files;
  readonly bus: SystemBus;
  readonly heartbeat: Heartbeat;
  /** Reads a small file that the fetch room left, with every check that its origin asks for. */
  readonly readSpool: (directory: string, name: string, limit: number) => Promise<Buffer>;
}

export interface Wanted {
  readonly files: readonly FetchFile[];
  /** Given: what is in the cache directory beside `files` and these is removed. */
  readonly keep?: readonly string[];
}

/** Has the fetch room bring files into the cache directory. Throws SOURCE_* when one of them could not be had. */
export async function fetchFiles(wanted: Wanted, context: FetchContext): Promise<readonly FetchFileReport[]> {
  const reports = await tryFiles(wanted, context);
  for (const report of reports) {
    if (report.outcome === 'failed') throw fetchFailure(report);
  }
  return reports;
}

/** As `fetchFiles`, but a file that could not be had is for the caller to judge. */
export async function tryFiles(wanted: Wanted, context: FetchContext): Promise<readonly FetchFileReport[]> {
  const { bus, files, layout, settings } = context;
  const id = randomUUID();
  const order = {
    schema: 1 as const,
    id,
    ...wanted,
    insecureHttp: settings.source.insecureHttp,
    settings: context.fetch,
  };
  await files.makeDirectory(layout.run, 0o755);
  // Its addresses may carry credentials: 0640, and the group node-updater that the directory hands down.
  await files.replace(layout.fetchOrder, JSON.stringify(order), 0o640);
  const unit = `node-updater-fetch@${settings.node}.service`;
  // Each address has its own time: a mirror that drips until its end must not cost the next one its own.
  const addresses = wanted.files.flatMap(({ urls }) => urls).length;
  const job = await context.heartbeat.during(bus.start(unit, context.fetch.totalTimeout * addresses + MARGIN));
  return (await readReport(id, unit, job, context)).files;
}

async function readReport(id: string, unit: string, job: string, context: FetchContext): Promise<FetchReport> {
  const text = await context.readSpool(context.layout.cache, REPORT, REPORT_LIMIT).catch((error: unknown) => {
    // A disk that cannot be read says nothing about the room.
    throw error instanceof UpdaterError && error.code.startsWith('DISK_') ? error : died(unit, job, error);
  });
  const report = parseReport(text.toString('utf8'));
  if (report?.id !== id) throw died(unit, job);
  return report;
}

function died(unit: string, job: string, cause?: unknown): UpdaterError {
  return new UpdaterError('SOURCE_FETCH_DIED', `${unit} left no report (its job ended "${job}")`, {
    cause,
    remedy: `See why: journalctl -u ${unit}. The next run tries again. If it goes on, empty its cache: systemctl clean --what=cache ${unit}`,
  });
}
