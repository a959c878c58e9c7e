import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, formatSize, parseDuration, parsePercent, parseSize } from '../../../src/config/units.ts';

/** Milliseconds as systemd itself reads the text. */
function bySystemd(text: string): number {
  const output = execFileSync('systemd-analyze', ['timespan', text], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });
  return Number(/s: (\d+)/.exec(output)?.[1]) / 1000;
}

describe('parseDuration', () => {
  it.each([
    '90',
    '1h 30min',
    '1.5h',
    '2 h',
    '1h30min',
    '1M',
    '1y',
    '5m',
    '1w2d',
    '1 2',
    '.5s',
    '90 s 3',
    '250ms',
    '3 days',
    '1hr',
  ])('reads %j as systemd does', (text) => {
    expect(parseDuration(text)).toEqual({ ok: true, value: bySystemd(text) });
  });

  it.each(['', ' ', 'h', '1h h', '1.s', '1e3', '1.5.5s', '-1s', '5 lightyears', 'infinity', '1'.repeat(30)])(
    'refuses %j, and says why',
    (text) => {
      expect(parseDuration(text)).toEqual({ ok: false, why: expect.any(String) as string });
    },
  );

  it('reads back whatever formatDuration writes', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toEqual({ ok: true, value: ms });
      }),
    );
    expect(bySystemd(formatDuration(93_784_005))).toBe(93_784_005);
  });

  it('never throws and never answers a negative or broken number', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9. hms]{0,12}$/)), (text) => {
        const parsed = parseDuration(text);
        if (parsed.ok) expect(Number.isSafeInteger(parsed.value) && parsed.value >= 0).toBe(true);
      }),
    );
  });
});

describe('parseSize', () => {
  it.each([
    ['4096', 4096],
    ['1K', 1024],
    ['1.5G', 1.5 * 1024 ** 3],
    ['512 M', 512 * 1024 ** 2],
    ['2T', 2 * 1024 ** 4],
  ])('reads %j', (text, value) => {
    expect(parseSize(text)).toEqual({ ok: true, value });
  });

  it.each(['', 'G', '1X', '-1', '1e3', '1G 2M', 'infinity', '9E', '1k'])('refuses %j', (text) => {
    expect(parseSize(text).ok).toBe(false);
  });

  it('reads back whatever formatSize writes', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (bytes) => {
        expect(parseSize(formatSize(bytes))).toEqual({ ok: true, value: bytes });
      }),
    );
  });
});

describe('parsePercent', () => {
  it('reads up to two digits behind the point, as systemd does', () => {
    expect(parsePercent('80%')).toEqual({ ok: true, value: 8000 });
    expect(parsePercent('12.5%')).toEqual({ ok: true, value: 1250 });
    for (const text of ['80', '%', '1.234%', '-1%', '1e2%']) expect(parsePercent(text).ok).toBe(false);
  });
});
