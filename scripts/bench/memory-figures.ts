/** The peak memory (VmHWM) of the fetch room and of verify + header pass + unpack, for archives of very different sizes. */
import { join } from 'node:path';
import type { Figure } from './figures.ts';
import { openRooms } from './ours.ts';
import { openReleases } from './releases.ts';

const TARGET = 120;
const SIZES = [
  { text: '50 MB', bytes: 50_000_000 },
  { text: '2 GB', bytes: 2_000_000_000 },
];
const FORMATS = [
  { format: 'tar.zst', level: 1 },
  { format: 'tar.gz', level: 1 },
] as const;

export async function memoryFigures(work: string): Promise<Figure[]> {
  await using releases = await openReleases(work);
  using rooms = await openRooms(work, releases.origin, releases.publisher.key);
  const figures: Figure[] = [];
  for (const { text, bytes } of SIZES) {
    for (const { format, level } of FORMATS) {
      const version = `1.0.0-${format}-${String(bytes)}`;
      const release = await releases.make({ version, content: 'random', files: 20, bytes, format, level });
      rooms.moveTo(join(work, version));
      await rooms.fetch(release);
      await rooms.supply(release, 'durable');
      const { fetch, supply } = rooms.peaks();
      const of = `of a ${text} ${format}`;
      figures.push({ name: `peak memory, fetch room ${of}`, value: fetch, target: TARGET, unit: ' MiB' });
      figures.push({ name: `peak memory, verify + stage ${of}`, value: supply, target: TARGET, unit: ' MiB' });
    }
  }
  return figures;
}
