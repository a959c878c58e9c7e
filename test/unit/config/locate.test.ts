import fc from 'fast-check';
import { parse, stringify } from 'smol-toml';
import { expect, describe, it } from 'vitest';
import { locateKeys, locateNearest } from '../../../src/config/locate.ts';

const TEXT = `# comment with = and [brackets]
title = "a # no comment ] }"
a.b . "c.d" = 1
list = [ # one
  "x", 'y]',
  { p = 1, q.r = [2,
    3] },
]
multi = """
[not.a.table]
key = 1 \\""" ""\"""
lit = '''
[nor.this] '''
"quoted key" = 1 # tail
[table]
k = {}
[[many]]
n = 1
[[many]]
n = 2
[many.inner]
deep = 2024-01-01T00:00:00Z
[[many.rows]]
z = true
[a.x]
after = 'end'`;

describe('locateKeys', () => {
  const locate = locateKeys(TEXT);
  it.each([
    [['title'], 2],
    [['a', 'b', 'c.d'], 3],
    [['list'], 4],
    [['list', 0], 5],
    [['list', 1], 5],
    [['list', 2], 6],
    [['list', 2, 'q', 'r'], 6],
    [['list', 2, 'q', 'r', 1], 7],
    [['multi'], 9],
    [['lit'], 12],
    [['quoted key'], 14],
    [['table', 'k'], 16],
    [['many', 0, 'n'], 18],
    [['many', 1], 19],
    [['many', 1, 'n'], 20],
    [['many', 1, 'inner', 'deep'], 22],
    [['many', 1, 'rows', 0, 'z'], 24],
    [['a', 'x', 'after'], 26],
    [['not'], undefined],
    [['nor'], undefined],
  ])('finds %j in line %s', (path, line) => {
    parse(TEXT);
    expect(locate(path)).toBe(line);
  });

  it('answers with the table around a key that is not there', () => {
    expect(locateNearest(locate, ['many', 1, 'inner', 'absent'])).toBe(21);
    expect(locateNearest(locate, ['absent'])).toBeUndefined();
  });

  it('finds every key of any document, on a line that names it [F115]', () => {
    const key = fc.oneof(
      fc.stringMatching(/^[a-z]{1,4}$/),
      fc.string({ minLength: 1, maxLength: 6 }).filter((k) => k !== '__proto__'),
    );
    const leaf = fc.oneof(
      fc.string(),
      fc.integer({ min: -99, max: 99 }),
      fc.boolean(),
      fc.array(fc.string(), { maxLength: 3 }),
    );
    const table = fc.dictionary(
      key,
      fc.oneof(leaf, fc.dictionary(key, leaf), fc.array(fc.dictionary(key, leaf), { minLength: 1 })),
    );
    fc.assert(
      fc.property(table, (document) => {
        const text = stringify(document);
        const find = locateKeys(text);
        const lines = text.split('\n');
        for (const path of leafPaths(parse(text))) {
          const line = find(path);
          expect({ path, line }).toEqual({ path, line: expect.any(Number) as number });
          const name = path.findLast((part) => typeof part === 'string') ?? '';
          expect(lines[(line ?? 0) - 1]).toContain(JSON.stringify(name).slice(1, -1).slice(0, 1));
        }
      }),
      { numRuns: 60 },
    );
  });
});

function leafPaths(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (Array.isArray(value))
    return [path, ...value.flatMap((item, index) => leafPaths(item, [...path, index]))].filter((p) => p.length > 0);
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leafPaths(inner, [...path, key]));
}
