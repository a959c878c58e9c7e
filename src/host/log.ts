/** Lines for the journal (or a terminal) by pino, and milestones with their own MESSAGE_ID by logger(1). */
import { pino, destination as openDestination, type DestinationStream, type LevelWithSilent } from 'pino';
import type { Log, LogFields, Run } from './ports.ts';
import { line, visible } from './log-line.ts';

export interface LogOptions {
  readonly level: Extract<LevelWithSilent, 'error' | 'warn' | 'info' | 'debug'>;
  /** Where the lines go: 2, standard error. */
  readonly descriptor: number;
  /** `journal` puts `<N>` before each line, which journald takes for its level; `terminal` does not. */
  readonly style: 'journal' | 'terminal';
  /** Starts logger(1). */
  readonly run: Run;
}

/** pino's numbers to syslog's, which the `<N>` of sd-daemon(3) and PRIORITY= are. */
const PRIORITY: Readonly<Record<number, number>> = { 20: 7, 30: 6, 40: 4, 50: 3 };
const ERR = 3;
const NOTICE = 5;
const LOGGER_TIMEOUT = 10_000;

/** What pino tells a destination that asks for it, before each write (its `pino.metadata` symbol). */
interface Last {
  lastLevel: number;
  lastMsg: string | undefined;
  lastObj: LogFields;
}

export function makeLog(options: LogOptions): Log {
  const write = lineWriter(options);
  const logger = pino({ level: options.level, base: null, timestamp: false }, destination(write));
  return {
    debug: (message, fields) => {
      logger.debug(fields ?? {}, message);
    },
    info: (message, fields) => {
      logger.info(fields ?? {}, message);
    },
    warn: (message, fields) => {
      logger.warn(fields ?? {}, message);
    },
    error: (message, fields) => {
      logger.error(fields ?? {}, message);
    },
    milestone: (messageId, message, fields) => milestone({ messageId, message, fields }, options.run, write),
  };
}

type Write = (priority: number, text: string) => void;

function lineWriter({ descriptor, style }: LogOptions): Write {
  const sink = openDestination({ fd: descriptor, sync: true });
  // A full disk or a closed pipe behind standard error must not end a transaction, and there is nowhere left to say it.
  sink.on('error', () => undefined);
  return (priority, text) => {
    sink.write(style === 'journal' ? `<${priority}>${text}\n` : `${text}\n`);
  };
}

/** JSON would stay opaque in `journalctl -u`, so the line that pino made is left, and its parts are written as text. */
function destination(write: Write): DestinationStream {
  const stream: DestinationStream & Last = {
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    lastMsg: undefined,
    lastObj: {},
    write() {
      const { lastLevel, lastMsg, lastObj } = stream;
      write(PRIORITY[lastLevel] ?? ERR, line(lastMsg ?? '', lastObj));
    },
  };
  return stream;
}

interface Milestone {
  readonly messageId: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** If the journal cannot be reached, the line is still said. */
async function milestone(what: Milestone, run: Run, write: Write): Promise<void> {
  const failure = await intoJournal(what, run);
  if (failure === undefined) return;
  write(priorityOf(what.fields), line(what.message, { ...what.fields, message_id: what.messageId }));
  write(PRIORITY[40] ?? ERR, line('the milestone above could not be written with its fields', { cause: failure }));
}

async function intoJournal(what: Milestone, run: Run): Promise<string | undefined> {
  try {
    const result = await run(['logger', '--journald'], { input: entry(what), timeout: LOGGER_TIMEOUT });
    if (result.status === 0) return undefined;
    return result.timedOut ? 'logger did not end' : `logger: ${result.stderr.toString('utf8').trim()}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** OBJECT_PID makes `journalctl -u` find the entry under our unit even if logger(1) is gone before journald looks it up. */
function entry({ messageId, message, fields }: Milestone): string {
  const pairs: readonly (readonly [string, string])[] = [
    ['MESSAGE', message],
    ['MESSAGE_ID', messageId],
    ['PRIORITY', String(priorityOf(fields))],
    ['SYSLOG_IDENTIFIER', 'node-updater'],
    ['OBJECT_PID', String(process.pid)],
    ...Object.entries(fields).flatMap(([key, value]) =>
      value === undefined
        ? []
        : [[`NODE_UPDATER_${key.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`, String(value)] as const],
    ),
  ];
  return pairs.map(([key, value]) => `${key}=${visible(value)}\n`).join('');
}

/** A milestone that names an error's code is an error; the others are worth a notice. */
function priorityOf(fields: LogFields): number {
  return fields['code'] === undefined ? NOTICE : ERR;
}
