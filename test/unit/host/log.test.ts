import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { line, visible } from '../../../src/host/log-line.ts';
import { makeLog, type LogOptions } from '../../../src/host/log.ts';
import type { Run } from '../../../src/host/ports.ts';
import { run } from '../../../src/host/run.ts';

const ID = 'f1b7a1e02d3c4d0f9c0f7c8b1a6c1d50';

let directory: string;
let file: string;
let descriptor: number;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'log-'));
  file = join(directory, 'stderr');
  descriptor = openSync(file, 'a');
});

afterEach(async () => {
  closeSync(descriptor);
  await rm(directory, { recursive: true });
});

function logTo(options: Partial<LogOptions> = {}) {
  return makeLog({ level: 'debug', descriptor, style: 'journal', run, ...options });
}

async function written(): Promise<string> {
  return readFile(file, 'utf8');
}

/** A Run that notes what logger(1) would be given. */
function loggerThat(status: number, inputs: string[]): Run {
  return async (command, options = {}) => {
    inputs.push(`${command.join(' ')}\n${String(options.input)}`);
    return run(['sh', '-c', `cat >/dev/null; echo broken >&2; exit ${status}`], options);
  };
}

describe('a line of the log', () => {
  it('carries its level as journald reads it', async () => {
    const log = logTo();
    log.debug('one');
    log.info('two');
    log.warn('three');
    log.error('four');
    expect(await written()).toBe('<7>one\n<6>two\n<4>three\n<3>four\n');
  });

  it('has no level in front when a person reads it on a terminal', async () => {
    logTo({ style: 'terminal' }).error('no space left');
    expect(await written()).toBe('no space left\n');
  });

  it('ends with its fields, leaves out those without a value, and quotes what has blanks', async () => {
    logTo().info('staged', { version: '1.2.3', size: 42, etag: undefined, note: 'two "words"', empty: '' });
    expect(await written()).toBe('<6>staged version=1.2.3 size=42 note="two \\"words\\"" empty=""\n');
  });

  it('is left out below the level that was asked for', async () => {
    logTo({ level: 'warn' }).info('chatter');
    expect(await written()).toBe('');
  });

  it('prints a message with percent signs as it is', async () => {
    logTo().info('100% of %s, %o', { rate: '5%d' });
    expect(await written()).toBe('<6>100% of %s, %o rate=5%d\n');
  });

  it('cannot be forged by a line break, a colour or a change of reading direction in untrusted text [F123]', async () => {
    logTo().warn('server said\n<0>all is lost', { reason: '\u001b[2J\u202egpj\u2028\u009b' });
    expect(await written()).toBe('<4>server said\\n<0>all is lost reason=\\x1b[2J\\u{202e}gpj\\u{2028}\\x9b\n');
  });

  it('is one visible line, whatever text it is given [F123]', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.dictionary(fc.string(), fc.string({ unit: 'binary' })),
        (text, fields) => {
          expect(line(text, fields)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
        },
      ),
    );
  });

  it('shows half a character as what it is, none', () => {
    expect(visible('a\ud800b')).toBe('a\ufffdb');
  });

  it('is cut before journald would cut it', () => {
    expect(visible('x'.repeat(100_000))).toBe(`${'x'.repeat(16_384)}… (83616 more)`);
  });

  it('costs nobody the transaction when standard error cannot be written [S2.25]', async () => {
    const log = join(import.meta.dirname, '../../../src/host/log.ts');
    const script = `
      const { makeLog } = await import(${JSON.stringify(log)});
      const log = makeLog({ level: 'info', descriptor: 2, style: 'journal', run: undefined });
      for (let i = 0; i < 3; i++) log.error('nobody will read this');
      setImmediate(() => console.log('still here'));`;
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', full] });
    closeSync(full);
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [status] = (await once(child, 'close')) as [number];
    expect({ status, output }).toEqual({ status: 0, output: 'still here\n' });
  });
});

describe('a milestone', () => {
  it('goes to the journal with its id and fields, one assignment a line', async () => {
    const inputs: string[] = [];
    await logTo({ run: loggerThat(0, inputs) }).milestone(ID, 'committed 1.2.3', { node: 'storj', version: '1.2.3' });
    expect(inputs).toEqual([
      [
        'logger --journald',
        'MESSAGE=committed 1.2.3',
        `MESSAGE_ID=${ID}`,
        'PRIORITY=5',
        'SYSLOG_IDENTIFIER=node-updater',
        `OBJECT_PID=${process.pid}`,
        'NODE_UPDATER_NODE=storj',
        'NODE_UPDATER_VERSION=1.2.3',
        '',
      ].join('\n'),
    ]);
    expect(await written()).toBe('');
  });

  it('is an error when it names an error code', async () => {
    const inputs: string[] = [];
    await logTo({ run: loggerThat(0, inputs) }).milestone(ID, 'put back', { code: 'GATE_PROBE' });
    expect(inputs[0]).toContain('\nPRIORITY=3\n');
  });

  it('cannot be given more fields by a line break in a value [F123]', async () => {
    const inputs: string[] = [];
    await logTo({ run: loggerThat(0, inputs) }).milestone(ID, 'a\nPRIORITY=0', { reason: 'b\n_UID=0' });
    expect(inputs[0]).toContain('\nMESSAGE=a\\nPRIORITY=0\n');
    expect(inputs[0]).toContain('\nNODE_UPDATER_REASON=b\\n_UID=0\n');
  });

  it('is still said, with a warning, when logger fails or is missing [S2.25]', async () => {
    const noLogger: Run = () => run(['/nonexistent/logger']);
    for (const broken of [loggerThat(1, []), noLogger]) {
      await logTo({ run: broken }).milestone(ID, 'committed', { node: 'storj' });
    }
    const lines = (await written()).split('\n');
    expect(lines[0]).toBe(`<5>committed node=storj message_id=${ID}`);
    expect(lines[1]).toBe('<4>the milestone above could not be written with its fields cause="logger: broken"');
    expect(lines[3]).toMatch(/^<4>the milestone above .*was not found/);
  });
});
