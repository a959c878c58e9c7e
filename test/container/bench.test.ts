/** The bench wires our rooms up by hand: here it is shown to do so, in small, before somebody needs its figures. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openRooms } from '../../scripts/bench/ours.ts';
import { openReleases } from '../../scripts/bench/releases.ts';

it('the bench fetches, verifies and stages a release by the code that a host runs', async () => {
  const work = mkdtempSync(join('/var/tmp', 'node-autoupdate-bench-'));
  try {
    await using releases = await openReleases(work);
    using rooms = await openRooms(work, releases.origin, releases.publisher.key);
    const shape = { version: '1.0.0', content: 'random', files: 20, bytes: 1_000_000 } as const;
    const release = await releases.make({ ...shape, format: 'tar.zst', level: 1 });
    await rooms.fetch(release);
    await rooms.supply(release, 'durable');
    const versions = join(work, 'host/opt', rooms.node, 'versions');
    expect(existsSync(join(versions, '1.0.0', release.binary))).toBe(true);
    expect(rooms.peaks().supply).toBeGreaterThan(1);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});
