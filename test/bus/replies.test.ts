/** Refusals, and answers of another shape than documented. */
import { Variant } from 'dbus-next';
import { describe, expect, it } from 'vitest';
import { NAME } from '../rig/bus/systemd1.ts';
import { fakeUnit } from '../rig/bus/units.ts';
import { LONG, lost, onPrivateBus, UNIT } from './fixture.ts';

const on = onPrivateBus();

describe('an error reply', () => {
  it.each([
    [`${NAME}.NoSuchUnit`, 'HOST_UNIT'],
    [`${NAME}.LoadFailed`, 'HOST_UNIT'],
    [`${NAME}.BadUnitSetting`, 'HOST_UNIT'],
    [`${NAME}.UnitMasked`, 'HOST_UNIT'],
    [`${NAME}.JobTypeNotApplicable`, 'HOST_UNIT'],
    [`${NAME}.OnlyByDependency`, 'HOST_UNIT'],
    ['System.Error.EROFS', 'HOST_UNIT'],
    ['org.freedesktop.DBus.Error.AccessDenied', 'USAGE_NOT_PERMITTED'],
    ['org.freedesktop.DBus.Error.InteractiveAuthorizationRequired', 'USAGE_NOT_PERMITTED'],
    ['org.freedesktop.DBus.Error.NoReply', 'HOST_BUS'],
    ['org.freedesktop.DBus.Error.LimitsExceeded', 'HOST_BUS'],
    ['com.example.NeverHeardOf', 'HOST_BUS'],
  ])('%s means %s, with a remedy and its own name as the cause [F081][F093]', async (type, code) => {
    on.systemd.override('StartUnit', (message) => {
      on.systemd.peer.refuse(message, type, 'because\nof this');
    });
    const cause = expect.objectContaining({ message: expect.stringContaining(type) as string }) as Error;
    await expect(on.bus.start(UNIT, LONG)).rejects.toMatchObject({
      code,
      cause,
      remedy: expect.stringMatching(/\w/) as string,
    });
  });

  it('of a host that is going down is no fault of the unit [F089]', async () => {
    on.systemd.override('StartUnit', (message) => {
      on.systemd.peer.refuse(message, `${NAME}.TransactionIsDestructive`, 'Transaction is destructive.');
    });
    await expect(on.bus.start(UNIT, LONG)).rejects.toMatchObject(lost);
  });

  it('with no text, or with another body than a text, is understood all the same', async () => {
    on.systemd.override('StartUnit', (message) => {
      on.systemd.peer.reply(message, 's', ['not a path of a job']);
    });
    expect(await on.bus.start(UNIT, 50)).toBe('no-answer');
    on.systemd.override('StartUnit', (message) => {
      on.systemd.peer.reply(message, 'u', [1]);
    });
    await expect(on.bus.start(UNIT, LONG)).rejects.toMatchObject(lost);
  });
});

describe('the facts of a unit', () => {
  it('are found among thousands of properties, of any size and name', async () => {
    const unit = on.systemd.units.get(UNIT);
    for (let n = 0; n < 3000; n++) Object.assign(unit?.odd ?? {}, { [`Odd${n}`]: new Variant('s', 'x'.repeat(1000)) });
    Object.defineProperty(unit?.odd, '__proto__', { value: new Variant('s', 'evil'), enumerable: true });
    const facts = await on.bus.facts(UNIT);
    expect(facts).toMatchObject({ loadState: 'loaded', activeState: 'inactive', triggeredBy: [] });
    expect(facts.service?.timeoutStopUsec).toBe(0xffff_ffff_ffff_ffffn);
  });

  it.each([
    ['ActiveState', new Variant('u', 7)],
    ['InvocationID', new Variant('s', 'text')],
    ['NRestarts', new Variant('s', 'many')],
    ['DropInPaths', new Variant('au', [1, 2])],
    ['ExecStart', new Variant('s', '/bin/true')],
    ['ExecStart', new Variant('a(ss)', [['/bin/true', '--help']])],
    ['NeedDaemonReload', new Variant('s', 'no')],
    ['RestartUSec', new Variant('u', 5)],
  ])('are refused, not guessed, when %s has another type than systemd documents', async (name, value) => {
    Object.assign(on.systemd.units.get(UNIT)?.odd ?? {}, { [name]: value });
    await expect(on.bus.facts(UNIT)).rejects.toMatchObject({
      code: 'HOST_BUS',
      message: expect.stringContaining(name) as string,
    });
  });

  it('are empty where a unit has no command, and absent where it is no service', async () => {
    Object.assign(on.systemd.units.get(UNIT)?.odd ?? {}, { ExecStart: new Variant('a(sasbttttuii)', []) });
    expect((await on.bus.facts(UNIT)).service?.execStart).toEqual([]);
    on.systemd.units.set('storj.socket', fakeUnit('storj.socket'));
    expect(await on.bus.facts('storj.socket')).not.toHaveProperty('service');
  });
});
