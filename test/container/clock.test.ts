/**
 * Clocks that are wrong or jump. A container shares the clock of the machine under it, and a time namespace has none of
 * its own for the time of day: so it is the transaction, with all that it starts, that sees another time (libfaketime). Its
 * monotonic clock stays, as it does on a host whose time of day is set.
 */
import { globSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { makeLab, type Lab } from '../rig/lab/lab.ts';
import { runs } from '../rig/lab/runs.ts';

let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

const dropIn = `[Service]
Environment=LD_PRELOAD=/srv/libfaketime.so FAKETIME_TIMESTAMP_FILE=/srv/clock FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1
`;

/** The transaction's clock from now on: an offset (`-10y`, `+1d`). */
const setClock = (offset: string) => lab.host.sh(`echo '${offset}' >/srv/clock`);

async function installed(): Promise<void> {
  lab = await makeLab();
  const [library] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1');
  if (library === undefined) throw new Error('there is no libfaketime on this machine (scripts/setup installs it)');
  await lab.host.push(library, '/srv/libfaketime.so', 0o755);
  await setClock('+0');
  await lab.host.push(Buffer.from(dropIn), '/etc/systemd/system/node-updater@.service.d/test.conf');
  await lab.host.sh('systemctl daemon-reload');
  await lab.configure({ soak: '1s' });
  await lab.publish('1.0.0');
  const { status, stderr } = await lab.updater('upgrade');
  expect(status, stderr).toBe(0);
}

const year = (at: string | undefined) => new Date(at ?? 0).getUTCFullYear() - new Date().getUTCFullYear();

describe('a clock that jumps in the soak', () => {
  it.each([
    { jump: '+10y', years: 10 },
    { jump: '-10y', years: -10 },
  ])(
    'by $years years changes nothing: the soak counts running time, the version is committed [F105]',
    async ({ jump, years }) => {
      await installed();
      await lab.configure({ soak: '4s' });
      await lab.publish('2.0.0');
      await lab.updater('upgrade', '--no-wait');
      await lab.host.waitFor(`tail -n 1 /var/lib/node-updater/demo/ledger.jsonl | grep -q '"state":"soak"'`);
      await setClock(jump);
      expect(await lab.waitForEnd(2)).toBe('committed');
      expect(await lab.facts()).toEqual(runs('2.0.0'));
      const soak = (await lab.ledger()).filter(({ entry }) => 'state' in entry && entry.state === 'soak').slice(-2);
      const [began, held] = soak;
      expect([year(began?.at), year(held?.at)]).toEqual([0, years]);
      const ran = BigInt(held?.mono ?? 0) - BigInt(began?.mono ?? 0);
      expect(ran).toBeGreaterThanOrEqual(4_000_000n);
      // Nor does it stand in the way of the next one, once the clock is right again.
      await setClock('+0');
      await lab.publish('3.0.0', 'crash 300');
      expect((await lab.updater('upgrade')).status).toBe(3);
      expect(await lab.facts()).toEqual(runs('2.0.0'));
    },
  );

  it('by a day and back while the version crashes does not keep the fallback from acting [F105]', async () => {
    await installed();
    await lab.configure({ soak: '10s' });
    await lab.publish('2.0.0', 'crash 2500');
    await lab.updater('upgrade', '--no-wait');
    await lab.host.waitFor(`tail -n 1 /var/lib/node-updater/demo/ledger.jsonl | grep -q '"state":"soak"'`);
    await setClock('+1d');
    await setClock('-1d');
    expect(await lab.waitForEnd(2)).toBe('rolled-back');
    expect(await lab.lastEnd()).toMatchObject({ failure: { code: 'GATE_EXITED' }, quarantine: { version: '2.0.0' } });
    expect(await lab.facts()).toEqual(runs('1.0.0'));
  });
});

describe('a clock that is wrong when a release is looked for', () => {
  it.each([
    { clock: '-56y', code: 'TRUST_CLOCK', title: 'that begins in 1970, as without a battery,', id: '[F104]' },
    { clock: '+11y', code: 'TRUST_EXPIRED', title: 'eleven years ahead, for which all is out of date,', id: '[F106]' },
  ])(
    '$title is the cause that is told; the node goes on, and the release is taken with the right time $id',
    async ({ clock, code }) => {
      await installed();
      const pid = await lab.host.sh('systemctl show -P MainPID demo.service');
      await lab.publish('2.0.0');
      await setClock(clock);
      const { status, stderr } = await lab.updater('upgrade');
      expect(status, stderr).toBe(5);
      expect(stderr).toMatch(/clock/i);
      const answer = (await lab.ledger()).at(-1)?.entry;
      expect(answer).toMatchObject({ kind: 'answer', failure: { code } });
      expect(await lab.facts()).toEqual(runs('1.0.0'));
      expect(await lab.host.sh('systemctl show -P MainPID demo.service')).toBe(pid);
      await setClock('+0');
      expect((await lab.updater('upgrade')).status).toBe(0);
      expect(await lab.facts()).toEqual(runs('2.0.0'));
    },
  );
});
