import { describe, expect, it } from 'vitest';
import { needsRoot } from '../../../src/cli/needs-root.ts';

describe('what a command that needs root says', () => {
  it.each([
    { argv: ['upgrade', 'demo', '--to=1.2.0'], typed: 'upgrade demo --to=1.2.0' },
    { argv: ['keys', 'add', 'a.asc', '--fingerprint', '0000 1111'], typed: "keys add a.asc --fingerprint '0000 1111'" },
    { argv: ['keys', 'add', "it's.asc"], typed: "keys add 'it'\\''s.asc'" },
    { argv: ['upgrade', ''], typed: "upgrade ''" },
  ])('is what to type, each word of it one word for a shell: $typed', ({ argv, typed }) => {
    expect(needsRoot('this', { argv }).remedy).toBe(`Type: sudo node-updater ${typed}`);
  });
});
