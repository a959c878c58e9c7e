import { describe, expect, it } from 'vitest';
import { parseArgs } from '../../../src/cli/args.ts';

describe('keys', () => {
  it.each([
    ['list', { action: 'list', mode: 'follow' }],
    ['verify demo', { action: 'verify', node: 'demo', mode: 'follow' }],
    [
      `add x.asc demo --dry-run --fingerprint ${'1'.repeat(40)}`,
      { action: 'add', file: 'x.asc', fingerprint: '1'.repeat(40), node: 'demo', mode: 'dry-run' },
    ],
    [`remove ${'ab'.repeat(20)}`, { action: 'remove', fingerprint: 'AB'.repeat(20), mode: 'follow' }],
  ])('%s is understood', async (line, command) => {
    expect((await parseArgs(['keys', ...line.split(' ')], '1')).command).toEqual({ name: 'keys', ...command });
  });

  it.each([
    '',
    'show',
    'add x.asc',
    'add x.asc --fingerprint 1234',
    'remove',
    'remove x.asc',
    'list a b',
    `list --fingerprint ${'1'.repeat(40)}`,
  ])('%j is refused, for a file cannot vouch for itself', async (line) => {
    await expect(parseArgs(['keys', ...line.split(' ')], '1')).rejects.toMatchObject({ code: 'USAGE_INVALID' });
  });
});
