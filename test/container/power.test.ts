/**
 * The power is cut at every block write (test/rig/power/README.md). The bounded share takes one file system;
 * `npm run test:power` takes three, with a thousand disks or more of each.
 */
import { describe, expect, it } from 'vitest';
import { cases } from '../rig/cases.ts';
import { cutPower, MOMENTS, type Outcome } from '../rig/power/cut-power.ts';
import type { FileSystem } from '../rig/power/file-systems.ts';
import { LONG_LIFE, SHORT_LIFE, YOUTH } from '../rig/power/workload.ts';

const FULL = cases(1) > 1;
const FILE_SYSTEMS: readonly FileSystem[] = FULL ? ['ext4', 'xfs', 'btrfs'] : ['ext4'];
const TIMEOUT = FULL ? 3_600_000 : 300_000;
const SEED = 20_261_121;

/** In the files port of the installed bundle: what takes one kind of flush out of it. */
const DAMAGES: Readonly<Record<string, string>> = {
  'nothing is flushed': 's/await [a-z]+\\.sync\\(\\);//; s/\\["sync", "-f", path\\]/["true"]/',
  'a staged version is not flushed before it gets its name': 's/\\["sync", "-f", path\\]/["true"]/',
  'a record of the ledger is not flushed before its step acts':
    '/^async function appendToExisting/,/return true/ s/await file\\.sync\\(\\);//',
};

const APART = {
  fileSystem: 'ext4',
  placement: 'apart',
  disksOfRecovery: 0,
  moments: [],
  seed: SEED,
} as const;

function damageBy(expression: string): string {
  return `files=$(grep -l '^async function appendToExisting' /usr/lib/node-autoupdate/*.mjs)
cp "$files" /root/whole.mjs
sed -E -i '${expression}' "$files"
! cmp -s "$files" /root/whole.mjs`;
}

function tell(what: string, { life, recoveries }: Outcome): void {
  const sum = (of: 'disks' | 'flushes' | 'seconds'): number => recoveries.reduce((all, report) => all + report[of], 0);
  console.log(
    `${what}: ${life.disks} disks between ${life.flushes} flushes, ${life.violations.length} violations, ` +
      `${life.seconds.toFixed(0)} s; ${recoveries.length} recoveries: ${sum('disks')} disks between ` +
      `${sum('flushes')} flushes, ${recoveries.flatMap(({ violations }) => violations).length} violations, ${sum('seconds').toFixed(0)} s`,
  );
}

describe.each(FILE_SYSTEMS)('a host whose power is cut, with its node on %s', (fileSystem) => {
  it(
    'boots a complete committed version at every cut, also of a recovery, and loses nothing that it had on record [F073][F074][S1.17]',
    async () => {
      const outcome = await cutPower({
        fileSystem,
        life: FULL ? LONG_LIFE : SHORT_LIFE,
        disks: cases(40),
        disksOfRecovery: FULL ? 14 : 6,
        moments: FULL ? MOMENTS : MOMENTS.slice(0, 1),
        seed: SEED,
      });
      tell(fileSystem, outcome);
      const { life, recoveries, wrongRecoveries } = outcome;
      expect(life.violations).toEqual([]);
      expect(recoveries.flatMap(({ violations }) => violations)).toEqual([]);
      expect(wrongRecoveries).toEqual([]);
      const disks = [life, ...recoveries].reduce((all, report) => all + report.disks, 0);
      expect(disks).toBeGreaterThanOrEqual(FULL ? 1000 : 40);
    },
    TIMEOUT,
  );
});

describe.runIf(FULL)('a host whose power is cut, with its versions and links on a disk of their own', () => {
  it(
    'boots a complete committed version at every moment, whatever the other disk has kept of the ledger [F073]',
    async () => {
      const outcome = await cutPower({ ...APART, life: LONG_LIFE, disks: 400 });
      tell('apart', outcome);
      expect(outcome.life.violations).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'and is found out if it does not flush the directory of its links [F073]',
    async () => {
      const damage = damageBy('s/await directory\\.sync\\(\\);//');
      const outcome = await cutPower({ ...APART, life: YOUTH, disks: 200, damage });
      tell('no directory is flushed', outcome);
      expect(outcome.life.violations).not.toEqual([]);
      console.log(outcome.life.violations.slice(0, 3).join('\n'));
    },
    TIMEOUT,
  );
});

describe('an updater that is made to flush less', () => {
  it.each(Object.entries(DAMAGES).slice(0, FULL ? undefined : 1))(
    'is found out: %s [F073]',
    async (what, expression) => {
      const outcome = await cutPower({
        fileSystem: 'ext4',
        life: YOUTH,
        disks: FULL ? 200 : 16,
        disksOfRecovery: 0,
        moments: [],
        seed: SEED,
        damage: damageBy(expression),
      });
      tell(what, outcome);
      expect(outcome.life.violations).not.toEqual([]);
      if (FULL) console.log(outcome.life.violations.slice(0, 3).join('\n'));
    },
    TIMEOUT,
  );
});
