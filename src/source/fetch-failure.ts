/**
 * What an operator is told when a file could not be fetched. The room says what happened; what to do about it is said here, by
 * code: nobody should type what a process that talks to the network asks for.
 */
import { CODES, UpdaterError, type ErrorCode } from '../errors.ts';
import type { FetchFileReport } from '../orders.ts';

/** A server that asks for longer, in milliseconds, is left alone from run to run by the fetch room. */
const PATIENCE = 60_000;

export function fetchFailure(file: Extract<FetchFileReport, { outcome: 'failed' }>): UpdaterError {
  const known = file.code in CODES && /^(SOURCE|DISK)_/.test(file.code);
  const code = known ? (file.code as ErrorCode) : 'SOURCE_PROTOCOL';
  const advice = ADVICE[code];
  const remedy = [...(advice === undefined ? [] : [advice]), `The running version stays. ${again(file.retryAfter)}`];
  // What follows a message elsewhere is a new sentence or a bracket.
  return new UpdaterError(code, file.message.replace(/\.$/, ''), { remedy: remedy.join(' ') });
}

function again(retryAfter = 0): string {
  return retryAfter > PATIENCE
    ? `The server asked to be left alone; the first run after ${String(Math.ceil(retryAfter / 60_000))} min asks it again.`
    : 'The next run tries again; to try now: node-updater check';
}

const SPACE = '/var/cache/node-updater';

const ADVICE: Readonly<Partial<Record<ErrorCode, string>>> = {
  SOURCE_UNREACHABLE:
    'If it lasts, look at network, DNS and firewall of this host; for a file:// URL, whether its disk is mounted.',
  SOURCE_TLS:
    'Compare the clock of this host (`timedatectl`) with a trusted one. A private authority is named in `fetch.ca_file`.',
  SOURCE_HTTP_STATUS: 'If it lasts, compare `source.url` with what the publisher states, or ask who runs the server.',
  SOURCE_REDIRECT: 'If the redirect is meant, put the URL that it leads to into `source.url`. If not, do not trust it.',
  SOURCE_SLOW:
    'What has come is kept, and gone on with. If it lasts, add a mirror to `source.url`, lower `fetch.minimum_speed`, or raise `fetch.total_timeout`.',
  SOURCE_TOO_LARGE: 'The server is broken, hostile, or serves another version: tell who runs it.',
  SOURCE_PROTOCOL: 'Open the URL by hand, from this host, to see who answers.',
  DISK_FULL: `Make room for the download: df -h ${SPACE}; df -i ${SPACE}`,
  DISK_READ_ONLY: `Find out why the file system is read-only: findmnt -T ${SPACE}; dmesg`,
  DISK_IO: `Look at ${SPACE}, and at \`dmesg\` for disk errors.`,
};
