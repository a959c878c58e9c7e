/** What a systemd can do to our jobs that a healthy one never does. */
import { describe, expect, it } from 'vitest';
import { jobWithoutEnd, LONG, onPrivateBus, UNIT } from './fixture.ts';
import { MANAGER, MANAGER_PATH, NAME } from '../rig/bus/systemd1.ts';

const on = onPrivateBus();

describe('a job', () => {
  it('that is never removed ends the wait by its time-out alone [S3.43]', async () => {
    void jobWithoutEnd(on.systemd);
    expect(await on.bus.start(UNIT, 50)).toBe('no-answer');
  });

  it('whose end overtakes the reply that names it is not lost', async () => {
    on.systemd.override('StartUnit', (message) => {
      const job = on.systemd.newJob(UNIT);
      on.systemd.jobRemoved(job, 'done');
      on.systemd.peer.reply(message, 'o', [job]);
    });
    expect(await on.bus.start(UNIT, LONG)).toBe('done');
  });

  it('is not ended by the end of another', async () => {
    const named = jobWithoutEnd(on.systemd);
    const start = on.bus.start(UNIT, LONG);
    const { path: job } = await named;
    on.systemd.jobRemoved(`${job}0`, 'failed');
    on.systemd.jobRemoved('/', 'failed');
    on.systemd.jobRemoved(job, 'done');
    expect(await start).toBe('done');
  });

  it('that two wait for ends for both', async () => {
    const job = on.systemd.newJob(UNIT);
    on.systemd.override('StartUnit', (message) => {
      on.systemd.peer.reply(message, 'o', [job]);
      if (on.systemd.peer.calls.filter((call) => call === 'StartUnit').length === 2) on.systemd.jobRemoved(job, 'done');
    });
    expect(await Promise.all([on.bus.start(UNIT, LONG), on.bus.start(UNIT, LONG)])).toEqual(['done', 'done']);
  });

  it.each([
    'done',
    'canceled',
    'timeout',
    'failed',
    'dependency',
    'skipped',
    'invalid',
    'assert',
    'unsupported',
    'collected',
    'once',
  ])('that ended %s is told so [F082]', async (result) => {
    const named = jobWithoutEnd(on.systemd);
    const start = on.bus.start(UNIT, LONG);
    on.systemd.jobRemoved((await named).path, result);
    expect(await start).toBe(result);
  });

  it('that ended in a way of a newer systemd did not go well [F082]', async () => {
    const named = jobWithoutEnd(on.systemd);
    const start = on.bus.start(UNIT, LONG);
    on.systemd.jobRemoved((await named).path, 'concurrency');
    expect(await start).toBe('failed');
  });

  it('takes as long as it may, also more than a timer can count', async () => {
    const named = jobWithoutEnd(on.systemd);
    const start = on.bus.start(UNIT, Infinity);
    const { path: job } = await named;
    // One more round trip than the time-out of an overflowing timer would leave.
    await on.bus.facts(UNIT);
    on.systemd.jobRemoved(job, 'done');
    expect(await start).toBe('done');
  });

  it.each([
    ['start', 'active', 'done'],
    ['start', 'failed', 'failed'],
    ['start', 'activating', 'failed'],
    ['stop', 'inactive', 'done'],
    ['stop', 'active', 'failed'],
  ] as const)(
    'to %s whose end nobody heard, with the unit %s after a re-exec, counts as %s [F088]',
    async (kind, active, result) => {
      const member = kind === 'start' ? 'StartUnit' : 'StopUnit';
      const named = jobWithoutEnd(on.systemd, member);
      const end = on.bus[kind](UNIT, LONG);
      const { path: job } = await named;
      await on.systemd.reexec(() => {
        on.systemd.jobRemoved(job, 'done');
        Object.assign(on.systemd.units.get(UNIT) ?? {}, { active });
      });
      expect(await end).toBe(result);
    },
  );

  it('whose end was lost in a reload is found after it [F088]', async () => {
    const named = jobWithoutEnd(on.systemd);
    const start = on.bus.start(UNIT, LONG);
    await named;
    Object.assign(on.systemd.units.get(UNIT) ?? {}, { active: 'active' });
    on.systemd.override('GetJob', (message) => {
      on.systemd.peer.refuse(message, `${NAME}.NoSuchJob`, 'Job does not exist.');
    });
    on.systemd.peer.signal(MANAGER_PATH, MANAGER, 'Reloading', 'b', [false]);
    expect(await start).toBe('done');
  });
});
