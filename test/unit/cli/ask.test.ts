import { access, readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { actOn, ask, type Target } from '../../../src/cli/ask.ts';
import type { Host } from '../../../src/cli/host.ts';
import { outcomeLines, reportOutcome } from '../../../src/cli/outcome.ts';
import type { Line } from '../../../src/cli/output.ts';
import { UpdaterError } from '../../../src/errors.ts';
import type { SystemBus } from '../../../src/host/ports.ts';
import { openLedger } from '../../../src/machine/ledger.ts';
import { leaveRequest, takeRequest } from '../../../src/machine/request.ts';
import type { Entry } from '../../../src/machine/record.ts';
import type { Request, RequestKind } from '../../../src/orders.ts';
import type { NodeSettings } from '../../../src/settings.ts';
import { committed, NODE, silentLog, testHost, tickingClock, upgrade, writeLedger, type TestHost } from './ledger.ts';
import { text } from './story.ts';

const UNIT = 'node-updater@workerd.service';
const REVERT = 'node-updater-revert@workerd.service';

/** systemd as the asker sees it: which jobs it was given, and whether the units run. */
interface Around {
  readonly active?: string;
  /** What revert@ has last said; its units then wait to try again. */
  readonly revert?: string;
  readonly serve?: (request: Request) => readonly Entry[];
}

function stage(host: TestHost, around: Around = {}) {
  const jobs: string[] = [];
  const clock = tickingClock();
  const serve = async (): Promise<void> => {
    const request = await takeRequest(host.place, clock, silentLog());
    const ledger = await openLedger(host.place.ledger, host.files, clock);
    if (request === undefined) return;
    for (const entry of around.serve?.(request) ?? []) await ledger.append(entry);
  };
  const job = (verb: string) => async (unit: string) => {
    jobs.push(`${verb} ${unit}`);
    if (around.serve !== undefined) await serve();
  };
  const bus = {
    facts: (unit: string) => {
      if (unit === REVERT && around.revert !== undefined)
        return Promise.resolve({ unit, activeState: 'activating', subState: 'auto-restart' });
      const activeState = unit === UNIT ? (around.active ?? 'inactive') : 'inactive';
      return Promise.resolve({ unit, activeState, subState: 'dead' });
    },
    startNoWait: job('start'),
    stopNoWait: job('stop'),
    close: () => Promise.resolve(),
  } as unknown as SystemBus;
  const quick = { ...clock, wait: () => new Promise<void>((resolve) => setImmediate(resolve)) };
  const real = {
    ...host,
    argv: ['upgrade', 'workerd'],
    uid: 0,
    clock: () => quick,
    files: () => Promise.resolve(host.files),
    bus: () => Promise.resolve(bus),
    run: () => Promise.resolve({ status: 0, stdout: Buffer.from(`${around.revert ?? ''}\n`) }),
    onSignal: () => new AbortController().signal,
  } as unknown as Host;
  return { host: real, jobs };
}

const target = (host: TestHost): Target => ({ node: NODE, layout: host.place, settings: {} as NodeSettings });
const asking = (kind: RequestKind, then: 'follow' | 'no-wait' = 'follow') => ({
  kind,
  then,
  narrate: () => () => undefined,
});
const UPGRADE = { kind: 'upgrade', force: [] } as const;
const OPEN: readonly Entry[] = [
  { kind: 'opened', transaction: upgrade('t1', '1.0.0', '2.0.0', 'old') },
  { kind: 'intent', tx: 't1', state: 'soak' },
];

describe('ask', () => {
  it('leaves a request, starts the unit of the node, and follows until the transaction has ended', async () => {
    const test = await testHost();
    const { host, jobs } = stage(test, { serve: ({ id }) => committed(upgrade('t', '1.0.0', '2.0.0', id)) });
    const report = reportOutcome(NODE, await ask(asking(UPGRADE), target(test), host));
    expect(jobs).toEqual([`start ${UNIT}`]);
    expect(report).toMatchObject({
      schema: 1,
      result: 'ended',
      exit: 0,
      outcome: 'committed',
      from: '1.0.0',
      to: '2.0.0',
    });
  });

  it('only asks when it is not to wait', async () => {
    const test = await testHost();
    const { host, jobs } = stage(test);
    const report = reportOutcome(NODE, await ask(asking(UPGRADE, 'no-wait'), target(test), host));
    expect(report).toMatchObject({ result: 'asked', exit: 0 });
    expect(jobs).toEqual([`start ${UNIT}`]);
    expect(JSON.parse(await readFile(test.place.request, 'utf8'))).toMatchObject(UPGRADE);
  });

  it('refuses with 75 while another transaction is under way, and leaves no request [F109][P38]', async () => {
    const test = await testHost();
    await writeLedger(test.place.ledger, test.files, OPEN);
    const { host, jobs } = stage(test, { active: 'activating' });
    await expect(ask(asking(UPGRADE), target(test), host)).rejects.toMatchObject({
      code: 'HOST_LOCKED',
      exit: 75,
      message: 'The upgrade to 2.0.0 is under way for workerd',
    });
    expect(jobs).toEqual([]);
    await expect(access(test.place.request)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('ends the transaction that is under way when its operator rolls back: the unit is stopped after the request was left', async () => {
    const test = await testHost();
    await writeLedger(test.place.ledger, test.files, OPEN);
    const { host, jobs } = stage(test, {
      active: 'activating',
      serve: ({ id }) => [
        { kind: 'ended', tx: 't1', outcome: 'rolled-back' },
        { kind: 'answer', request: id, exit: 0, message: 'The update was ended' },
      ],
    });
    const asked = await ask(asking({ kind: 'rollback' }), target(test), host);
    expect(jobs).toEqual([`stop ${UNIT}`]);
    expect(reportOutcome(NODE, asked)).toMatchObject({ result: 'answered', exit: 0 });
  });

  it('gives 75 to a second asker, and starts the unit for the request that waits, whose asker may be gone [F109]', async () => {
    const test = await testHost();
    const first = await leaveRequest({ kind: 'check' }, test.place, tickingClock());
    const { host, jobs } = stage(test);
    await expect(ask(asking(UPGRADE), target(test), host)).rejects.toMatchObject({ code: 'HOST_LOCKED', exit: 75 });
    expect(jobs).toEqual([`start ${UNIT}`]);
    expect(JSON.parse(await readFile(test.place.request, 'utf8'))).toEqual(first);
  });

  it('takes its request back when nobody took it, so that it is not carried out later, and says which journal to read [P45]', async () => {
    const test = await testHost();
    const { host, jobs } = stage(test);
    await expect(ask(asking(UPGRADE), target(test), host)).rejects.toMatchObject({
      code: 'HOST_UNIT',
      remedy: expect.stringContaining('journalctl -u node-updater@workerd.service') as string,
    });
    expect(jobs.length).toBeGreaterThan(1);
    await expect(access(test.place.request)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('goes on by the ledger alone when the bus is lost on the way [F087]', async () => {
    const test = await testHost();
    const { host } = stage(test);
    const bus = await host.bus(silentLog());
    let looks = 0;
    const said: string[] = [];
    const lossy = {
      ...bus,
      facts: async (unit: string) => {
        looks++;
        if (looks <= 2) return bus.facts(unit);
        if (looks === 5) {
          const { id } = JSON.parse(await readFile(test.place.request, 'utf8')) as Request;
          await writeLedger(test.place.ledger, test.files, committed(upgrade('t', '1.0.0', '2.0.0', id)));
        }
        throw new UpdaterError('HOST_BUS', 'the bus is gone', { remedy: '' });
      },
    };
    const lost = {
      ...host,
      bus: () => Promise.resolve(lossy),
      output: { ...host.output, complain: (lines: readonly Line[]) => said.push(text(lines)) },
    };
    const asked = await ask(asking(UPGRADE), target(test), lost);
    expect(asked.followed).toMatchObject({ kind: 'ended', outcome: 'committed' });
    expect(said).toEqual([expect.stringContaining('following the ledger alone')]);
  });

  it('leaves no request on a damaged ledger', async () => {
    const test = await testHost();
    await writeFile(test.place.ledger, 'nonsense\n{}\n');
    await expect(ask(asking(UPGRADE), target(test), stage(test).host)).rejects.toMatchObject({ code: 'HOST_LEDGER' });
    await expect(access(test.place.request)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('ask, when systemd cannot put the version before back', () => {
  const SAID = 'workerd cannot be put back: versions/1.0.0 is gone.';

  it('does not wait: it ends with 4, says what revert@ said, and what to type', async () => {
    const test = await testHost();
    await test.files.symlink('versions/1.0.0', test.place.fallback);
    const { host, jobs } = stage(test, { revert: SAID });
    await expect(ask(asking({ kind: 'rollback' }), target(test), host)).rejects.toMatchObject({
      code: 'ACTIVATE_REVERT',
      exit: 4,
      message: 'systemd cannot put workerd back: workerd cannot be put back: versions/1.0.0 is gone',
      remedy: expect.stringContaining(`Put the directory ${test.place.versions}/1.0.0 back`) as string,
    });
    expect(jobs).toEqual([]);
    await expect(access(test.place.request)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('ends so in the middle too, and leaves the rollback to be done as soon as it can be', async () => {
    const test = await testHost();
    await writeLedger(test.place.ledger, test.files, OPEN);
    await test.files.symlink('versions/1.0.0', test.place.fallback);
    const around: { active: string; revert?: string } = { active: 'activating' };
    const { host } = stage(test, around);
    const bus = await host.bus(silentLog());
    const stopping = {
      ...bus,
      stopNoWait: () => {
        around.revert = SAID;
        return Promise.resolve();
      },
    };
    const real = { ...host, bus: () => Promise.resolve(stopping) };
    await expect(ask(asking({ kind: 'rollback' }), target(test), real)).rejects.toMatchObject({ exit: 4 });
    expect(JSON.parse(await readFile(test.place.request, 'utf8'))).toMatchObject({ kind: 'rollback' });
  });

  it('ends so for an upgrade whose version had to be put back, and leaves no request', async () => {
    const test = await testHost();
    const around: { revert?: string } = {};
    const { host } = stage(test, around);
    const bus = await host.bus(silentLog());
    const failing = {
      ...bus,
      startNoWait: () => {
        around.revert = SAID;
        return Promise.resolve();
      },
    };
    const real = { ...host, bus: () => Promise.resolve(failing) };
    await expect(ask(asking(UPGRADE), target(test), real)).rejects.toMatchObject({ exit: 4 });
    await expect(access(test.place.request)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('actOn', () => {
  it('needs root, and says what to type', async () => {
    const { host } = stage(await testHost());
    const act = () => actOn(undefined, 'upgrade', { ...host, uid: 1000 });
    expect(act).toThrow(
      expect.objectContaining({
        code: 'USAGE_NOT_PERMITTED',
        exit: 77,
        remedy: 'Type: sudo node-updater upgrade workerd',
      }),
    );
  });
});

describe('outcomeLines', () => {
  it('says on Ctrl-C that the update goes on, how to follow it and how to end it [F118]', () => {
    const request: Request = { schema: 1, id: 'r', asked: 0, bootId: '', ...UPGRADE };
    const report = reportOutcome(NODE, { request, followed: { kind: 'interrupted' } });
    expect(report).toMatchObject({ result: 'interrupted', exit: 130 });
    const said = text(outcomeLines(report).bad);
    expect(said).toContain('systemd goes on');
    expect(said).toContain('node-updater status workerd');
    expect(said).toContain('node-updater rollback workerd');
  });
});
