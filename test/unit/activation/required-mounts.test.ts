import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { ActivationContext } from '../../../src/activation/context.ts';
import { checkRequiredMounts, mountUnit } from '../../../src/activation/required-mounts.ts';

describe('the unit of a mount point', () => {
  it.each(['/', '/mnt/storage', '/mnt//16 TB disk/', '/srv/a-b_c.d', '/.hidden/größe', '/mnt/%i'])(
    'is named as systemd names that of %s',
    (path) => {
      const name = execFileSync('systemd-escape', ['--path', '--suffix=mount', path], { encoding: 'utf8' });
      expect(mountUnit(path)).toBe(name.trim());
    },
  );
});

describe('what a node needs mounted', () => {
  it.each([
    { active: 'srv.mount', told: undefined },
    { active: 'srv.automount', told: undefined },
    {
      active: 'demo.service',
      told: { code: 'HOST_MOUNT', remedy: "Mount it: sudo systemctl start 'srv.mount'. Then." },
    },
  ])('is asked of systemd: with $active active', async ({ active, told }) => {
    const facts = (unit: string) => Promise.resolve({ activeState: unit === active ? 'active' : 'inactive' });
    const context = { bus: { facts }, settings: { mounts: ['/srv'] } } as unknown as ActivationContext;
    const asked = checkRequiredMounts('Then.', context);
    await (told === undefined ? asked : expect(asked).rejects.toMatchObject(told));
  });
});
