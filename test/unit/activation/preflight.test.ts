import { describe, expect, it } from 'vitest';
import { checkUnit } from '../../../src/activation/preflight.ts';
import type { ServiceFacts, UnitFacts } from '../../../src/host/ports.ts';

const service = {
  type: 'simple',
  timeoutStopUsec: 90_000_000n,
  execStart: ['/opt/n/current/bin/n'],
} as unknown as ServiceFacts;

function facts(unit: Partial<UnitFacts>, changed: Partial<ServiceFacts> = {}): UnitFacts {
  const known = { unit: 'n.service', loadState: 'loaded', unitFileState: 'enabled' };
  return { ...known, service: { ...service, ...changed }, ...unit } as unknown as UnitFacts;
}

describe('#checkUnit', () => {
  it('has nothing against a daemon that is started through `current`', () => {
    expect(checkUnit(facts({}), '/opt/n')).toBeUndefined();
  });

  it.each([
    { name: 'is masked', one: facts({ loadState: 'masked' }), says: 'masked' },
    { name: 'is masked until the next boot', one: facts({ unitFileState: 'masked-runtime' }), says: 'masked' },
    { name: 'does not exist', one: facts({ loadState: 'not-found' }), says: 'not-found, not loaded' },
    { name: 'cannot be read by systemd', one: facts({ loadState: 'bad-setting' }), says: 'bad-setting, not loaded' },
  ])('refuses a unit that $name [F081]', ({ one, says }) => {
    expect(checkUnit(one, '/opt/n')).toContain(says);
  });

  it.each([
    { name: 'ends by itself', changed: { type: 'oneshot' }, says: 'no running daemon' },
    {
      name: 'may take for ever to stop',
      changed: { timeoutStopUsec: 2n ** 64n - 1n },
      says: 'TimeoutStopSec=infinity',
    },
    { name: 'names a version', changed: { execStart: ['/opt/n/versions/1/bin/n'] }, says: 'would change nothing' },
    {
      name: 'has another node’s program',
      changed: { execStart: ['/opt/nn/current/bin/n'] },
      says: 'would change nothing',
    },
  ])('refuses a unit that $name', ({ changed, says }) => {
    expect(checkUnit(facts({}, changed), '/opt/n')).toContain(says);
  });

  it('refuses a unit that nobody may restart by hand: neither version could be started', () => {
    expect(checkUnit(facts({ refusesManual: true }), '/opt/n')).toContain('cannot be restarted');
  });

  it('refuses a unit that runs without a main process that systemd knows', () => {
    expect(checkUnit(facts({ activeState: 'active' }, { mainPid: 0 }), '/opt/n')).toContain('PIDFile=');
    expect(checkUnit(facts({ activeState: 'inactive' }, { mainPid: 0 }), '/opt/n')).toBeUndefined();
  });
});
