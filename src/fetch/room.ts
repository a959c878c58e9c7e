/**
 * The fetch room: brings the files of one order into the cache directory and says how it went (DESIGN.md section 7).
 *
 * Threat: every byte that comes here is the attacker's, and so may be this process from then on. It has no privilege, no
 * bus, and one directory to write in; it parses HTTP and nothing else; nobody believes what it leaves. What it must
 * hold by itself: the size limits, the time-outs, and that no redirect makes it a way into the host's network.
 */
import { join } from 'node:path';
import { EXIT, type ExitCode } from '../errors.ts';
import { openClient } from './client.ts';
import { fetchFile } from './file.ts';
import { REPORT_NAME } from './order.ts';
import { openPatience } from './patience.ts';
import { pruneCache } from './prune.ts';
import { tidyCache } from './tidy.ts';
import { shown } from './wording.ts';
import type { FetchDeps } from './context.ts';
import type { FetchFileReport, FetchOrder, FetchReport } from '../orders.ts';

/**
 * Carries out `order` in `directory`, one file after the other. A file that fails does not keep the next one back.
 * @returns 0 when each file was fetched or not modified, else 75
 * @throws UpdaterError DISK_* when not even the report can be written
 */
export async function runFetchRoom(order: FetchOrder, directory: string, deps: FetchDeps): Promise<ExitCode> {
  const strange = await tidyCache(directory);
  if (strange.length > 0) {
    // Nothing of ours leaves such things: somebody should know that this room was taken over.
    deps.log.warn(`Removed from ${directory}, since no fetch leaves it there: ${shown(strange.join(', '), 512)}`);
  }
  if (order.keep !== undefined) {
    await pruneCache(directory, [...order.keep, ...order.files.map((file) => file.name)]);
  }
  const files = await fetchAll(order, directory, deps);
  const report: FetchReport = { schema: 1, id: order.id, files };
  await deps.files.replace(join(directory, REPORT_NAME), `${JSON.stringify(report)}\n`, 0o640);
  return files.some((file) => file.outcome === 'failed') ? EXIT.tryLater : EXIT.done;
}

async function fetchAll(order: FetchOrder, directory: string, deps: FetchDeps): Promise<readonly FetchFileReport[]> {
  const { settings, insecureHttp } = order;
  await using client = openClient(settings, deps);
  const patience = await openPatience(directory, deps);
  const exhausted = new Set<string>();
  const reports: FetchFileReport[] = [];
  for (const file of order.files) {
    reports.push(await fetchFile({ file, directory, settings, insecureHttp, client, patience, exhausted, deps }));
  }
  return reports;
}
