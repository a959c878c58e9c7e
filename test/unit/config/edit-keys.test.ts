import fc from 'fast-check';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { editKeys, readTrust } from '../../../src/config/edit-keys.ts';
import { cases } from '../../rig/cases.ts';

const A = { file: 'a.asc', fingerprint: 'AAAA 1111' };
const B = { file: '/srv/b "quoted".asc', fingerprint: 'BBBB' };
const FILE = `# what I run
binary = "bin/demod" # the daemon
[source]
url = "https://example.org/manifest.json"
[trust]
threshold = 2 # four eyes
keys = [
  { file = "a.asc", fingerprint = "AAAA 1111" }, # of the lead
]
[gate]
soak = "5m"
`;

describe('editKeys', () => {
  it('changes the keys alone and leaves every other line as its operator wrote it', () => {
    const after = editKeys(FILE, [A, B]);
    expect(after).toBe(
      FILE.replace(
        /keys = \[[^\]]*\]/,
        'keys = [\n  { file = "a.asc", fingerprint = "AAAA 1111" },\n  { file = "/srv/b \\"quoted\\".asc", fingerprint = "BBBB" },\n]',
      ),
    );
    expect(readTrust(after ?? '')).toEqual({ keys: [A, B], threshold: 2, keySet: 1 });
  });

  it.each([
    ['no table for them', 'binary = "x"'],
    ['a table without them', '[trust]\nthreshold = 1\n[gate]\nsoak = "1m"\n'],
    ['an inline table', 'trust = { threshold = 1, keys = [] }\n[gate]\nsoak = "1m"\n'],
    ['a dotted key', 'trust.keys = []\nbinary = "x"\n'],
    ['Windows line ends', '[trust]\r\nkeys = []\r\n[gate]\r\nsoak = "1m"\r\n'],
    ['brackets in comments and strings', 'description = "] ["\n[trust] # ]\nkeys = [ # ]\n] # ["\n'],
  ])('finds the place in a file with %s', (_, text) => {
    const after = editKeys(text, [A]);
    expect(after).toBeDefined();
    expect(parse(after ?? '')).toEqual({ ...parse(text), trust: { ...(parse(text)['trust'] as object), keys: [A] } });
  });

  it('leaves to a person what is written as tables of an array, or with more than file and fingerprint', () => {
    expect(editKeys('[[trust.keys]]\nfile = "a.asc"\nfingerprint = "AAAA"\n', [A, B])).toBeUndefined();
  });

  it('never changes anything else, whatever else there is', () => {
    const word = fc.stringMatching(/^[a-z]{1,8}$/).filter((name) => name !== 'trust');
    const line = fc.tuple(word, fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.string())));
    fc.assert(
      fc.property(
        fc.uniqueArray(line, { selector: ([name]) => name }),
        fc.array(fc.string(), { maxLength: 3 }),
        (lines, files) => {
          const head = lines.map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`).join('');
          const safe = head.replaceAll(/[\u007f-\u009f]/g, '?');
          const text = `${safe}[trust]\nkeys = []\n`;
          const keys = files.map((file) => ({ file, fingerprint: 'AAAA' }));
          const after = editKeys(text, keys);
          if (after === undefined) return;
          expect(parse(after)).toEqual({ ...parse(text), trust: { keys } });
          expect(after.startsWith(safe)).toBe(true);
        },
      ),
      { seed: 4, numRuns: cases(200) },
    );
  });
});
