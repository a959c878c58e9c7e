import { describe, expect, it } from 'vitest';
import { parseArgs } from '../../../src/cli/args.ts';
import { quickInvocation } from '../../../src/cli/quick.ts';
import { UpdaterError } from '../../../src/errors.ts';

const parse = (line: string) => parseArgs(line.split(' '), '1.2.3');

async function refusal(work: () => unknown): Promise<UpdaterError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof UpdaterError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('parseArgs', () => {
  const rows: readonly { line: string; command: object }[] = [
    { line: 'status', command: { name: 'status' } },
    { line: 'why workerd', command: { name: 'why', node: 'workerd' } },
    { line: 'check', command: { name: 'check', offered: 'exit-0' } },
    { line: 'check workerd --exit-code', command: { name: 'check', node: 'workerd', offered: 'exit-100' } },
    { line: 'upgrade', command: { name: 'upgrade', force: [], mode: 'follow' } },
    {
      line: 'upgrade workerd --to 1.2.0 --force rollout --force quarantine',
      command: { name: 'upgrade', node: 'workerd', to: '1.2.0', force: ['quarantine', 'rollout'], mode: 'follow' },
    },
    {
      line: 'upgrade --force rollout workerd',
      command: { name: 'upgrade', node: 'workerd', force: ['rollout'], mode: 'follow' },
    },
    { line: 'upgrade --no-wait', command: { name: 'upgrade', force: [], mode: 'no-wait' } },
    { line: 'upgrade --dry-run --dry-run', command: { name: 'upgrade', force: [], mode: 'dry-run' } },
    { line: 'rollback --dry-run', command: { name: 'rollback', force: [], mode: 'dry-run' } },
    { line: 'rollback --to=1.10', command: { name: 'rollback', force: [], to: '1.10', mode: 'follow' } },
    { line: 'history --limit 5', command: { name: 'history', limit: 5 } },
    { line: 'versions', command: { name: 'versions', view: 'list' } },
    { line: 'versions n --verify', command: { name: 'versions', node: 'n', view: 'verify' } },
    {
      line: 'versions --restage 1.0.0',
      command: { name: 'restage', version: '1.0.0', mode: 'follow' },
    },
    { line: 'config --check', command: { name: 'config', view: 'check' } },
    { line: 'config workerd', command: { name: 'config', node: 'workerd', view: 'show' } },
  ];
  it.each(rows)('reads "$line" as one command', async ({ line, command }) => {
    expect(await parse(line)).toEqual({ command, format: 'text' });
  });

  it('knows --json wherever it stands', async () => {
    expect((await parse('--json history workerd')).format).toBe('json');
    expect((await parse('history workerd --json')).format).toBe('json');
    expect((await parse('history workerd --json=true')).format).toBe('json');
  });

  it.each([
    ['upgrade --forse rollout', 'force'],
    ['upgrade --dryrun', 'dry-run'],
    ['check --exitcode', 'exit-code'],
    ['upgrad', 'upgrade'],
    ['histroy', 'history'],
  ])('answers "%s" with exit 2 and a hint at %s', async (line, meant) => {
    const error = await refusal(() => parse(line));
    expect(error).toMatchObject({ code: 'USAGE_INVALID', exit: 2 });
    expect(error.message).toContain(`Did you mean ${meant}?`);
  });

  it.each([
    'upgrade one two',
    'upgrade --force everything',
    'upgrade --to ../../etc',
    'upgrade --to',
    'upgrade --to 1 --to 2',
    'history --limit 1 --limit 2',
    'history --limit 0',
    'history --limit many',
    'status --frobnicate',
  ])('refuses "%s" with exit 2', async (line) => {
    expect(await refusal(() => parse(line))).toMatchObject({ code: 'USAGE_INVALID', exit: 2 });
  });
});

describe('quickInvocation', () => {
  it('tells what must start fast without yargs', () => {
    expect(quickInvocation(['status', 'workerd', '--json'])).toEqual({
      command: { name: 'status', node: 'workerd' },
      format: 'json',
    });
    expect(quickInvocation(['transact', 'workerd'])).toEqual({
      command: { name: 'transact', node: 'workerd' },
      format: 'text',
    });
    expect(quickInvocation(['run'])).toEqual({ command: { name: 'run' }, format: 'text' });
  });

  it('leaves to yargs what it does not fully understand', () => {
    for (const argv of [['status', '--help'], ['status', 'a', 'b'], ['run', 'fast'], ['upgrade'], []]) {
      expect(quickInvocation(argv)).toBeUndefined();
    }
  });

  it.each([[['transact']], [['fetch', '../etc']], [['probe', 'a', 'b']]])(
    'refuses a room without the name of one node: %j',
    async (argv) => {
      expect(await refusal(() => quickInvocation(argv))).toMatchObject({ code: 'USAGE_INVALID' });
    },
  );
});
