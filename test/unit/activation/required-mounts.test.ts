import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { mountUnit } from '../../../src/activation/required-mounts.ts';

describe('the unit of a mount point', () => {
  it.each(['/', '/mnt/storage', '/mnt//16 TB disk/', '/srv/a-b_c.d', '/.hidden/größe', '/mnt/%i'])(
    'is named as systemd names that of %s',
    (path) => {
      const name = execFileSync('systemd-escape', ['--path', '--suffix=mount', path], { encoding: 'utf8' });
      expect(mountUnit(path)).toBe(name.trim());
    },
  );
});
