import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEnvelope } from '../../../src/trust/envelope.ts';
import { parseStrictJson } from '../../../src/trust/json.ts';

const refused = expect.objectContaining({ code: 'TRUST_ENVELOPE' }) as Error;

function read(text: string): unknown {
  return readEnvelope(Buffer.from(text));
}

describe('readEnvelope', () => {
  it('gives text and signatures as they are, and looks into neither', () => {
    const text = '{"schema":1,"schema":2} \u00e4\n';
    expect(read(JSON.stringify({ manifest: text, signatures: ['not armour'] }))).toEqual({
      text,
      signatures: ['not armour'],
    });
  });

  it('ignores fields that it does not know', () => {
    expect(read('{"signatures":["s"],"later":{"x":[1]},"manifest":"m"}')).toEqual({ text: 'm', signatures: ['s'] });
  });

  it.each([
    ['no JSON', '<html></html>'],
    ['a list', '[]'],
    ['null', 'null'],
    ['no manifest', '{"signatures":["s"]}'],
    ['a manifest that is an object', '{"manifest":{},"signatures":["s"]}'],
    ['no signatures', '{"manifest":"m"}'],
    ['an empty list of signatures', '{"manifest":"m","signatures":[]}'],
    ['a signature that is no text', '{"manifest":"m","signatures":["s",1]}'],
    ['seventeen signatures', JSON.stringify({ manifest: 'm', signatures: Array(17).fill('s') })],
    ['two manifests', '{"manifest":"m","signatures":["s"],"manifest":"n"}'],
    ['two manifests, one name escaped', '{"manifest":"m","signatures":["s"],"m\\u0061nifest":"n"}'],
    ['a prototype', '{"manifest":"m","signatures":["s"],"__proto__":{"x":1}}'],
    ['a prototype, escaped and deep', '{"manifest":"m","signatures":["s"],"x":[{"__pr\\u006fto__":1}]}'],
    ['a byte order mark', '\uFEFF{"manifest":"m","signatures":["s"]}'],
    ['half a surrogate pair in the manifest', '{"manifest":"\\ud800","signatures":["s"]}'],
    ['a number that does not fit', '{"manifest":"m","signatures":["s"],"n":1e400}'],
    ['a depth of 10 000', `{"manifest":"m","signatures":["s"],"d":${'['.repeat(10_000)}${']'.repeat(10_000)}}`],
    ['text after it', '{"manifest":"m","signatures":["s"]}x'],
    ['a manifest of more than 64 KiB', JSON.stringify({ manifest: 'm'.repeat(65_537), signatures: ['s'] })],
  ])('refuses an envelope with %s [F032]', (_, text) => {
    expect(() => read(text)).toThrow(refused);
  });

  it('refuses bytes that are no UTF-8 [F032]', () => {
    const bytes = Buffer.from('{"manifest":"m\xff","signatures":["s"]}', 'latin1');
    expect(() => readEnvelope(bytes)).toThrow(refused);
  });

  it('takes 64 KiB of manifest and refuses more than 256 KiB in all [F031]', () => {
    const largest = JSON.stringify({ manifest: 'm'.repeat(65_536), signatures: ['s'] });
    expect(read(largest)).toMatchObject({ signatures: ['s'] });
    expect(read(largest.padEnd(256 * 1024))).toMatchObject({ signatures: ['s'] });
    expect(() => read(largest.padEnd(256 * 1024 + 1))).toThrow(refused);
  });

  it('leaves the prototypes of objects as they were [F032]', () => {
    expect(() => read('{"__proto__":{"polluted":1},"manifest":"m","signatures":["s"]}')).toThrow(refused);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('parseStrictJson', () => {
  it('reads every JSON value that JSON.stringify writes with plain names', () => {
    const value = fc.jsonValue({ maxDepth: 10 });
    const special = /"(__proto__|constructor|prototype)":/;
    fc.assert(
      fc.property(value, (one) => {
        const text = JSON.stringify(one);
        fc.pre(!special.test(text) && text.isWellFormed());
        expect(parseStrictJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('finds a name that stands twice, wherever it is [F032]', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(20), (name, depth) => {
        fc.pre(name.isWellFormed());
        const twice = `{${JSON.stringify(name)}:"{",${JSON.stringify(name)}:[]}`;
        expect(() => parseStrictJson('[1,'.repeat(depth) + twice + ']'.repeat(depth))).toThrow(/it holds/);
      }),
    );
  });

  it('takes the same name in two objects', () => {
    expect(parseStrictJson('[{"a":{"a":1}},{"a":"a"}]')).toEqual([{ a: { a: 1 } }, { a: 'a' }]);
  });

  it('is done in time with the worst text of its size', () => {
    const text = JSON.stringify({ a: '"\\'.repeat(60_000), b: '{'.repeat(10_000) });
    expect(parseStrictJson(text)).toEqual(JSON.parse(text));
  });
});
