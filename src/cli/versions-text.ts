/** What `versions` says to people. Pure. */
import { elsewhereFirst, cleanCopy } from '../activation/check-whole.ts';
import type { QuarantineReason } from '../policy/decide.ts';
import type { Line } from './output.ts';
import { table } from './table.ts';
import type { VersionReport, VersionsReport } from './versions.ts';

export function versionsLines({ node, versions: all }: VersionsReport): Line[] {
  if (all.length === 0) return [`No version of ${node} is staged.`, '', `Next: sudo node-updater upgrade ${node}`];
  const rows = all.map((one) => [one.version, notes(one).join(', ')]);
  const back = all.some(
    ({ before, staged, withdrawn, files }) => before && staged && !withdrawn && files?.state !== 'damaged',
  );
  return [
    ...table([['VERSION', 'NOTES'], ...rows]),
    ...all.flatMap((one) => damageLines(one, node)),
    ...(back ? ['', `To go back: sudo node-updater rollback ${node}`] : []),
  ];
}

/** Only a failed health gate is the version's own failure. */
function quarantineNote({ cause, message }: QuarantineReason): string {
  return `in quarantine${cause === 'gate' ? ', it failed here' : ''}: ${message}`;
}

function notes(one: VersionReport): string[] {
  return [
    ...(one.current ? ['current'] : []),
    ...(one.fallback ? ['fallback'] : []),
    ...(one.before ? ['committed before'] : []),
    ...(one.staged ? [] : ['not staged']),
    ...(one.withdrawn ? ['withdrawn by its publisher'] : []),
    ...filesNotes(one),
    ...(one.quarantine === undefined ? [] : [quarantineNote(one.quarantine)]),
  ];
}

function filesNotes({ files }: VersionReport): string[] {
  switch (files?.state) {
    case undefined:
      return [];
    case 'holds':
      return ['every file is what was staged'];
    case 'damaged':
      return ['damaged'];
    case 'unverifiable':
      return [`its files cannot be verified: ${files.why}`];
  }
}

function damageLines({ version, current, fallback, files }: VersionReport, node: string): Line[] {
  if (files?.state !== 'damaged') return [];
  const { differences, count } = files;
  const rest = count - differences.length;
  const next = current || fallback ? elsewhereFirst(version, node) : cleanCopy(version, node);
  return [
    '',
    { text: `${version} is not what was staged:`, tone: 'bad' },
    ...differences.map(({ path, message }) => `  ${path} ${message}`),
    ...(rest > 0 ? [`  and ${rest} more`] : []),
    `  → ${next}`,
  ];
}
