/**
 * What every SystemBus must do, on every systemd: run on the private bus (bus/private.test.ts) and on a booted container
 * (container/bus.test.ts). A library other than dbus-next would have to pass this.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wasStopped } from '../../src/activation/gate.ts';
import { connectSystemBus } from '../../src/host/bus.ts';
import type { SystemBus } from '../../src/host/ports.ts';
import { warnings } from './warnings.ts';

/**
 * A host with these units: good (runs until stopped) · fails (its start fails) · times-out (its job's time-out is short) · depends (on one that
 * fails) · skips (by its own condition command) · asserts (an assertion fails) · lingers (its start lasts for seconds, `lingersDone` waits for it
 * or ends it) · sulks (answers its stop with an error) · masked · installable (has an [Install] section, is not enabled).
 */
export interface ContractHost extends AsyncDisposable {
  readonly address: string;
  lingersDone(): Promise<void>;
  /** Makes systemd's idea of the unit stale. */
  editUnitFile(unit: string): Promise<void>;
  reexec(): Promise<void>;
  killBusDaemon(): Promise<void>;
}

const LONG = 30_000;

export function busContract(where: string, open: () => Promise<ContractHost>): void {
  describe(`the system bus on ${where}`, () => {
    let host: ContractHost;
    let bus: SystemBus;

    beforeAll(async () => {
      host = await open();
      bus = await connectSystemBus({ address: host.address, log: warnings() });
    });

    afterAll(async () => {
      await bus.close();
      await host[Symbol.asyncDispose]();
    });

    /** Resolves at the next change for which `holds`; a change before the call counts as well. */
    async function becomes(unit: string, holds: () => Promise<boolean>): Promise<void> {
      const { promise, resolve, reject } = Promise.withResolvers<undefined>();
      const look = () => {
        holds().then((held) => {
          if (held) resolve(undefined);
        }, reject);
      };
      const watch = await bus.watch(unit, look);
      try {
        look();
        await promise;
      } finally {
        await watch[Symbol.asyncDispose]();
      }
    }

    const activeState = async (unit: string) => (await bus.facts(unit)).activeState;

    it('starts a unit, and its facts say when by the monotonic clock [S1.23][S3.57]', async () => {
      const before = process.hrtime.bigint() / 1000n;
      expect(await bus.start('good.service', LONG)).toBe('done');
      const facts = await bus.facts('good.service');
      expect(facts).toMatchObject({ loadState: 'loaded', activeState: 'active', subState: 'running' });
      expect(facts.invocationId).toMatch(/^[0-9a-f]{32}$/);
      expect(facts.service).toMatchObject({ nRestarts: 0, result: 'success', execStart: ['/bin/sleep', '1000'] });
      expect(facts.service?.mainPid).toBeGreaterThan(0);
      const started = facts.service?.execMainStartMonotonic ?? 0n;
      expect(before <= started && started <= process.hrtime.bigint() / 1000n).toBe(true);
    });

    it('restarts a unit: another invocation, and no restart is counted [S1.53][S1.54]', async () => {
      const before = await bus.facts('good.service');
      expect(await bus.restart('good.service', LONG)).toBe('done');
      const after = await bus.facts('good.service');
      expect(after.invocationId).not.toBe(before.invocationId);
      expect(after.service?.nRestarts).toBe(0);
    });

    it('says of a unit that it left `active` before its process ended, when it was told to stop [F086]', async () => {
      expect(await bus.start('sulks.service', LONG)).toBe('done');
      expect(await bus.stop('sulks.service', LONG)).toBe('done');
      const facts = await bus.facts('sulks.service');
      expect(facts).toMatchObject({ activeState: 'failed', service: { result: 'exit-code' } });
      expect(wasStopped(facts)).toBe(true);
    });

    it('stops a unit, also one that is down already [S1.53]', async () => {
      expect(await bus.stop('good.service', LONG)).toBe('done');
      expect(await activeState('good.service')).toBe('inactive');
      expect(await bus.stop('good.service', LONG)).toBe('done');
    });

    it.each([
      ['fails.service', 'failed'],
      ['times-out.service', 'timeout'],
      ['depends.service', 'dependency'],
      ['asserts.service', 'assert'],
    ])('tells how the job of %s ended: %s [F082]', async (unit, result) => {
      expect(await bus.start(unit, LONG)).toBe(result);
    });

    it("takes a start that the unit's own condition prevented for done, with the unit down: as systemd does [F082]", async () => {
      expect(await bus.start('skips.service', LONG)).toBe('done');
      expect(await activeState('skips.service')).toBe('inactive');
    });

    it('counts the restarts of a unit that dies, each with another invocation [F083]', async () => {
      expect(await bus.start('crashes.service', LONG)).toBe('done');
      const seen = new Set<string>();
      await becomes('crashes.service', async () => {
        const { service, invocationId } = await bus.facts('crashes.service');
        seen.add(invocationId);
        return (service?.nRestarts ?? 0) >= 2;
      });
      expect(seen.size).toBeGreaterThan(1);
      await bus.stop('crashes.service', LONG);
    });

    it('forgets a failure when asked to, and has none to forget for a unit that is not loaded', async () => {
      expect(await activeState('fails.service')).toBe('failed');
      await bus.resetFailed('fails.service');
      expect(await activeState('fails.service')).toBe('inactive');
      await bus.resetFailed(`never-${randomBytes(4).toString('hex')}.service`);
    });

    it('gives up waiting when the time is over, and the job goes on [S3.43]', async () => {
      expect(await bus.start('lingers.service', 50)).toBe('no-answer');
      expect(await activeState('lingers.service')).toBe('activating');
    });

    it('tells that a job was canceled by another [F082]', async () => {
      const start = bus.start('lingers.service', LONG);
      await becomes('lingers.service', async () => (await activeState('lingers.service')) === 'activating');
      expect(await bus.stop('lingers.service', LONG)).toBe('done');
      expect(await start).toBe('canceled');
    });

    it('has a code and a remedy for a unit that does not exist, and facts that say so [F081]', async () => {
      const refused = { code: 'HOST_UNIT', exit: 1, remedy: expect.stringContaining('no-such.service') as string };
      await expect(bus.start('no-such.service', LONG)).rejects.toMatchObject(refused);
      await expect(bus.startNoWait('no-such.service')).rejects.toMatchObject(refused);
      expect((await bus.facts('no-such.service')).loadState).toBe('not-found');
    });

    it('has a code and a remedy for a masked unit, and facts that say so [F081]', async () => {
      const refused = {
        code: 'HOST_UNIT',
        remedy: expect.stringContaining('systemctl unmask masked.service') as string,
      };
      await expect(bus.start('masked.service', LONG)).rejects.toMatchObject(refused);
      expect((await bus.facts('masked.service')).loadState).toBe('masked');
    });

    it('asks for a start or a stop without waiting for it, and watches it happen [S3.38][S3.41]', async () => {
      await bus.startNoWait('good.service');
      await becomes('good.service', async () => (await activeState('good.service')) === 'active');
      await bus.stopNoWait('good.service');
      await becomes('good.service', async () => (await activeState('good.service')) === 'inactive');
    });

    it('says nothing more to a watcher that is disposed', async () => {
      let heard = 0;
      const watch = await bus.watch('good.service', () => heard++);
      await bus.start('good.service', LONG);
      expect(heard).toBeGreaterThan(0);
      await watch[Symbol.asyncDispose]();
      await watch[Symbol.asyncDispose]();
      const before = heard;
      await bus.stop('good.service', LONG);
      expect(heard).toBe(before);
    });

    it('reloads the units, and every watcher looks again [F088]', async () => {
      // Up, because systemd forgets units that are down, and would read the file anew.
      await bus.start('good.service', LONG);
      await host.editUnitFile('good.service');
      expect((await bus.facts('good.service')).needDaemonReload).toBe(true);
      const looked = Promise.withResolvers<undefined>();
      const watch = await bus.watch('lingers.service', () => {
        looked.resolve(undefined);
      });
      await bus.reload();
      expect((await bus.facts('good.service')).needDaemonReload).toBe(false);
      await bus.stop('good.service', LONG);
      await looked.promise;
      await watch[Symbol.asyncDispose]();
    });

    it('enables and disables units by name', async () => {
      await bus.enable(['installable.service']);
      expect((await bus.facts('installable.service')).unitFileState).toBe('enabled');
      await bus.disable(['installable.service']);
      expect((await bus.facts('installable.service')).unitFileState).toBe('disabled');
    });

    it('does not pretend to have enabled a unit that cannot be', async () => {
      await expect(bus.enable(['good.service'])).rejects.toMatchObject({ code: 'HOST_UNIT' });
    });

    it('starts a unit later, by a timer that is gone afterwards', async () => {
      await bus.startLater('later-a.timer', 'good.service', 200);
      await becomes('good.service', async () => (await activeState('good.service')) === 'active');
      await bus.stop('good.service', LONG);
      await becomes('later-a.timer', async () => (await bus.facts('later-a.timer')).loadState === 'not-found');
    });

    it('moves the moment when asked again to start a unit later', async () => {
      await bus.startLater('later-b.timer', 'good.service', 3_600_000);
      await bus.startLater('later-b.timer', 'good.service', 100);
      await becomes('good.service', async () => (await activeState('good.service')) === 'active');
      await bus.stop('good.service', LONG);
    });

    it('hears the end of a job across a re-exec of systemd, and every watcher looks again [F088]', async () => {
      const start = bus.start('lingers.service', LONG);
      await becomes('lingers.service', async () => (await activeState('lingers.service')) === 'activating');
      const looked = Promise.withResolvers<undefined>();
      const watch = await bus.watch('good.service', () => {
        looked.resolve(undefined);
      });
      await host.reexec();
      await looked.promise;
      await watch[Symbol.asyncDispose]();
      await host.lingersDone();
      expect(await start).toBe('done');
      expect(await bus.start('good.service', LONG)).toBe('done');
    });

    it('rejects what is pending, and what comes later, when it is closed', async () => {
      const second = await connectSystemBus({ address: host.address, log: warnings() });
      await second.stop('lingers.service', LONG);
      const pending = second.start('lingers.service', LONG);
      const rejected = expect(pending).rejects.toMatchObject({ code: 'HOST_BUS' });
      await becomes('lingers.service', async () => (await activeState('lingers.service')) === 'activating');
      await second.close();
      await rejected;
      await expect(second.facts('good.service')).rejects.toMatchObject({ code: 'HOST_BUS', exit: 75 });
      await second.close();
    });

    it('fails every pending call at once when the bus is lost, by a code that is no fault of the unit [F087]', async () => {
      await bus.stop('lingers.service', LONG);
      const { promise: told, resolve } = Promise.withResolvers<undefined>();
      const watch = await bus.watch('good.service', () => {
        resolve(undefined);
      });
      const pending = bus.start('lingers.service', LONG);
      const rejected = expect(pending).rejects.toMatchObject({ code: 'HOST_BUS', exit: 75 });
      await becomes('lingers.service', async () => (await activeState('lingers.service')) === 'activating');
      await host.killBusDaemon();
      await rejected;
      await told;
      await watch[Symbol.asyncDispose]();
      await expect(bus.facts('good.service')).rejects.toMatchObject({ code: 'HOST_BUS' });
    });
  });
}
