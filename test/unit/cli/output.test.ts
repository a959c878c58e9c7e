import { describe, expect, it } from 'vitest';
import { makeOutput } from '../../../src/cli/output.ts';
import { reportError } from '../../../src/cli/report-error.ts';
import { UpdaterError } from '../../../src/errors.ts';
import { visible } from '../../../src/host/log-line.ts';

function pair(isTTY: boolean, env: Record<string, string> = {}) {
  const said = { out: '', err: '' };
  const stdout = { isTTY, write: (text: string) => (said.out += text) };
  const stderr = { isTTY, write: (text: string) => (said.err += text) };
  return { said, output: makeOutput({ stdout, stderr, env, visible, errorPrefix: '' }) };
}

const ERROR = new UpdaterError('HOST_LOCKED', 'held by \u001b[31mme\nnow', { remedy: 'Wait.' });

describe('makeOutput', () => {
  it('shows control characters instead of obeying them', () => {
    const { said, output } = pair(true);
    output.print(['one\u001b[2Jtwo\r\u202e']);
    expect(said.out).toBe('one\\x1b[2Jtwo\\r\\u{202e}\n');
  });

  it('colours a terminal, and nothing else', () => {
    const line = { text: 'bad', tone: 'bad' } as const;
    const seen = [
      pair(true),
      pair(false),
      pair(true, { NO_COLOR: '1' }),
      pair(true, { TERM: 'dumb' }),
      pair(true, { NO_COLOR: '' }),
    ];
    for (const { output } of seen) output.print([line]);
    expect(seen.map(({ said }) => said.out.includes('\u001b['))).toEqual([true, false, false, false, true]);
  });

  it('says progress to a terminal only, on standard error', () => {
    const terminal = pair(true);
    const pipe = pair(false);
    for (const { output } of [terminal, pipe]) output.progress(['soaking']);
    expect(terminal.said).toEqual({ out: '', err: 'soaking\n' });
    expect(pipe.said).toEqual({ out: '', err: '' });
  });
});

describe('reportError', () => {
  it('says what happened and what to do, and gives the exit code of the error', () => {
    const { said, output } = pair(false);
    expect(reportError(ERROR, 'text', output)).toBe(75);
    expect(said.err).toBe('node-updater: held by \\x1b[31mme\n  now\n  → Wait.\n');
    expect(said.out).toBe('');
  });

  it('answers in JSON with code, message and remedy', () => {
    const { said, output } = pair(false);
    reportError(ERROR, 'json', output);
    expect(JSON.parse(said.out)).toEqual({
      schema: 1,
      error: { code: 'HOST_LOCKED', message: ERROR.message, remedy: 'Wait.' },
    });
    expect(said.out).not.toContain('\u001b');
  });

  it('shows the stack of an error that nobody foresaw, asks for a report of it, and exits 1', () => {
    const { said, output } = pair(false);
    expect(reportError(new TypeError('oops'), 'text', output)).toBe(1);
    expect(said.err).toMatch(
      /^node-updater: TypeError: oops\n\s+at .*\n {2}→ This is a fault in node-updater\. [^\n]+\n$/s,
    );
    reportError(new TypeError('oops'), 'json', output);
    const remedy = expect.stringContaining('report it') as string;
    expect(JSON.parse(said.out)).toMatchObject({ error: { code: 'INTERNAL', remedy } });
  });
});

describe('the cause of an error', () => {
  it.each([
    ['hosts would refuse it: too far', 'too far', 'node-updater: hosts would refuse it: too far\n  → Wait.\n'],
    ['hosts would refuse it', 'too far', 'node-updater: hosts would refuse it (too far)\n  → Wait.\n'],
  ])('is said once: %s', (message, cause, expected) => {
    const { said, output } = pair(false);
    reportError(
      new UpdaterError('RELEASE_SERIAL', message, { remedy: 'Wait.', cause: new Error(cause) }),
      'text',
      output,
    );
    expect(said.err).toBe(expected);
  });

  it.each([
    ['of a cause', new Error('too far', { cause: new Error('much') }), 'too far'],
    [
      'of a cause of a cause, where the first says nothing new',
      new Error('refuse', { cause: new Error('far') }),
      'far',
    ],
    [
      'of each of several causes',
      new AggregateError([new Error('refuse'), new Error('a'), new Error('b')], 'x'),
      'a; b',
    ],
    ['of no cause that says nothing new', new AggregateError([new Error('refuse')], 'x'), undefined],
  ])('has the text %s, for programs as for people', (_, cause, expected) => {
    const error = new UpdaterError('RELEASE_SERIAL', 'hosts would refuse it', { remedy: 'Wait.', cause });
    const [json, text] = [pair(false), pair(false)];
    reportError(error, 'json', json.output);
    reportError(error, 'text', text.output);
    const { error: told } = JSON.parse(json.said.out) as { error: { cause?: string } };
    expect(told.cause).toBe(expected);
    expect(text.said.err.split('\n')[0]).toBe(
      `node-updater: hosts would refuse it${expected === undefined ? '' : ` (${expected})`}`,
    );
  });
});
