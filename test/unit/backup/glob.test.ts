import { describe, expect, it } from 'vitest';
import { matcher, SIGNING_STATE, within } from '../../../src/backup/glob.ts';
import { rawOf } from '../../../src/backup/paths.ts';

describe('globs', () => {
  it.each([
    ['cache', 'cache', true],
    ['cache/', 'cache', true],
    ['cache', 'sub/cache', false],
    ['*.log', 'a.log', true],
    ['*.log', 'sub/a.log', false],
    ['**/*.log', 'a.log', true],
    ['**/*.log', 'x/y/a.log', true],
    ['x/**', 'x/y/z', true],
    ['x/**', 'x', false],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', false],
    ['a.c', 'abc', false],
    ['[x]', '[x]', true],
    ['a+(b)|{c}$', 'a+(b)|{c}$', true],
    ['*', 'two\nlines', true],
    ['ü?', 'üä', true],
  ])('%j on %j: %j', (glob, path, matches) => {
    expect(matcher([glob])(rawOf(path))).toBe(matches);
  });

  it.each([
    'data/priv_validator_state.json',
    'priv_validator_state.json',
    'validators/slashing_protection.sqlite',
    'validators/slashing_protection.sqlite3-wal',
    'validator/slashprotection/0xabc.yml',
  ])('of signing state know %s', (path) => {
    expect(within(matcher(SIGNING_STATE))(path)).toBe(true);
  });
});
