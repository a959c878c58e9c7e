import { expect, it } from 'vitest';
import { parseFetchOrder, readFetchOrder } from '../../../src/fetch/order.ts';
import { LIMITS } from '../../../src/limits.ts';
import { SETTINGS } from './helpers.ts';

const file = { name: 'manifest.json', urls: ['https://example.com/manifest.json'], limit: 1000 };
const order = { schema: 1, id: 'x', insecureHttp: false, settings: SETTINGS, files: [file] };

it('an order is read as it was written', () => {
  const whole = { ...order, keep: ['a.tar.gz'], files: [{ ...file, etag: 'W/"x"' }] };
  expect(parseFetchOrder(JSON.stringify(whole))).toEqual(whole);
});

it('an order names every address that the most mirrors can have of an artifact', () => {
  const urls = (count: number) => Array.from({ length: count }, (_, at) => `https://${at}.example.com/x`);
  const most = LIMITS.mirrorsPerSource * LIMITS.urlsPerArtifact;
  const naming = (count: number) => JSON.stringify({ ...order, files: [{ ...file, urls: urls(count) }] });
  expect(parseFetchOrder(naming(most)).files[0]?.urls).toHaveLength(256);
  expect(() => parseFetchOrder(naming(most + 1))).toThrow(/not valid/);
});

it.each<{ name: string; order: unknown }>([
  { name: 'of another schema', order: { ...order, schema: 2 } },
  { name: 'with an unknown key', order: { ...order, run: 'x' } },
  { name: 'with an unknown key in a file', order: { ...order, files: [{ ...file, mode: 0o777 }] } },
  { name: 'with a path for a name', order: { ...order, files: [{ ...file, name: '../x' }] } },
  { name: 'with .. for a name', order: { ...order, files: [{ ...file, name: '..' }] } },
  { name: 'with an empty name', order: { ...order, files: [{ ...file, name: '' }] } },
  { name: 'with a path to keep', order: { ...order, keep: ['a/b'] } },
  { name: 'that would overwrite the report', order: { ...order, files: [{ ...file, name: 'fetch-report.json' }] } },
  { name: 'that would overwrite a part', order: { ...order, files: [{ ...file, name: 'x.part' }] } },
  { name: 'with two files of one name', order: { ...order, files: [file, file] } },
  { name: 'without a URL', order: { ...order, files: [{ ...file, urls: [] }] } },
  { name: 'without a limit', order: { ...order, files: [{ ...file, limit: undefined }] } },
  { name: 'with a limit that is no number of bytes', order: { ...order, files: [{ ...file, limit: 1.5 }] } },
  { name: 'with a line break in the ETag', order: { ...order, files: [{ ...file, etag: '"x"\r\nHost: y' }] } },
  {
    name: 'with a time-out beyond what timers count',
    order: { ...order, settings: { ...SETTINGS, totalTimeout: 2 ** 31 } },
  },
  { name: 'that is a list', order: [] },
])('an order $name is refused', ({ order: bad }) => {
  expect(() => parseFetchOrder(JSON.stringify(bad))).toThrow(expect.objectContaining({ code: 'HOST_STATE' }) as Error);
});

it('an order that is no JSON, or is not there, is refused', async () => {
  expect(() => parseFetchOrder('{')).toThrow(/not valid/);
  await expect(readFetchOrder('/nowhere/fetch.json')).rejects.toMatchObject({ code: 'HOST_STATE' });
});
