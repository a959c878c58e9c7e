import { describe, expect, it } from 'vitest';
import { UpdaterError } from '../../../src/errors.ts';
import type { Log, UnitFacts } from '../../../src/host/ports.ts';
import { blame, blaming, watchOwnUnit } from '../../../src/machine/own-unit.ts';
import type { Steps } from '../../../src/machine/run.ts';

const OWN = 'node-updater@demo.service';
const log = { debug: () => undefined } as unknown as Log;
const died = new UpdaterError('HOST_PROBE_ROOM', 'the room ended "canceled"', { remedy: '' });

/** A bus that answers with one after the other, the last one again and again. */
function answering(...facts: readonly Partial<UnitFacts>[]) {
  let at = 0;
  return { facts: () => Promise.resolve(facts[Math.min(at++, facts.length - 1)] as UnitFacts) };
}

describe('a room that ends', () => {
  it.each([
    ['while another job stands in the place of our own', { activeState: 'activating', job: 8 }],
    ['while our unit ends', { activeState: 'deactivating', job: 7 }],
  ])('%s is the doing of who stopped us, and its own words are kept as the cause [P16]', async (_, after) => {
    const beingStopped = await watchOwnUnit(OWN, answering({ activeState: 'activating', job: 7 }, after));
    expect(await blame(died, { beingStopped, log })).toMatchObject({ code: 'ACTIVATE_INTERRUPTED', cause: died });
  });

  it('while our unit goes on is its own fault', async () => {
    const beingStopped = await watchOwnUnit(OWN, answering({ activeState: 'activating', job: 7 }));
    expect(await blame(died, { beingStopped, log })).toBe(died);
  });

  it('is told as it is when systemd cannot be asked', async () => {
    const beingStopped = () => Promise.reject(new UpdaterError('HOST_BUS', 'gone', { remedy: '' }));
    expect(await blame(died, { beingStopped, log })).toBe(died);
  });
});

it('what a version did counts against it, also while the updater is being stopped', async () => {
  const exited = new UpdaterError('GATE_EXITED', 'demo.service exited', { remedy: '' });
  expect(await blame(exited, { beingStopped: () => Promise.resolve(true), log })).toBe(exited);
});

it('each step that throws is judged so, and one that answers is left alone', async () => {
  const steps = { soak: () => Promise.reject(died), commit: () => Promise.resolve({ event: 'ok' }) };
  const judged = blaming(steps as unknown as Steps, { beingStopped: () => Promise.resolve(true), log });
  await expect(judged.soak()).rejects.toMatchObject({ code: 'ACTIVATE_INTERRUPTED' });
  await expect(judged.commit()).resolves.toEqual({ event: 'ok' });
});
