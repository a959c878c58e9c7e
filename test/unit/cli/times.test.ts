import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ago, moment } from '../../../src/cli/times.ts';

const timesModule = new URL('../../../src/cli/times.ts', import.meta.url).href;

/** The two hours around the change of 2026-03-29 and of 2026-10-25 in Berlin. */
const AROUND = [
  '2026-03-29T00:30:00.000Z',
  '2026-03-29T01:30:00.000Z',
  '2026-10-25T00:30:00.000Z',
  '2026-10-25T01:30:00.000Z',
];

/** What a process says that has this time zone. */
async function saidIn(zone: string | undefined): Promise<string> {
  const script = `
    import { ago, isoTime, moment, span } from ${JSON.stringify(timesModule)};
    const at = ${JSON.stringify(AROUND)}.map((text) => Date.parse(text));
    console.log(JSON.stringify(at.map((one) => [moment(one), isoTime(one), ago(one, at[3]), span(at[3] - one)])));`;
  const env = { ...process.env, ...(zone === undefined ? { TZ: '' } : { TZ: zone }) };
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env });
  return stdout;
}

describe('times', () => {
  it.each(['Europe/Berlin', 'America/St_Johns', 'Nowhere/There_Is_None', ':/gone'])(
    'are in UTC, over a change of the clocks as well, where the time zone is %s [F107]',
    async (zone) => {
      const said = await saidIn(zone);
      expect(said).toBe(await saidIn(undefined));
      expect(said).toContain('2026-03-29 01:30:00Z');
    },
  );

  it('are never negative after the clock was set back', () => {
    expect(ago(2000, 1000)).toBe('just now');
    expect(moment(0)).toBe('1970-01-01 00:00:00Z');
  });
});
