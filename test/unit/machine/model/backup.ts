/** The steps `stop` and `backup`, and what is tidied up after a commit: the effects of src/machine/data-steps.ts and src/backup/create.ts. */
import { OK, after, assemble, bus, failed, type Program } from './effect.ts';
import { isDown } from './node.ts';
import { inRoom, roomStarts, to, setting, stopping } from './room.ts';

const stop = assemble([
  bus('facts', 'looks at the node', (w) => {
    if (!isDown(w)) return 'next';
    return { answer: w.before === 'resting' ? 'resting' : 'operator' };
  }),
  ...stopping('a backup', () => ({ answer: 'operator' })),
  {
    say: 'is done',
    act: (w) => {
      w.before = 'down';
      return OK;
    },
  },
]);

const backup = assemble([
  roomStarts(),
  inRoom('copies the data', (w) => ((w.making = w.runs === '' ? w.data : 'torn'), 'next'), {
    needs: 'disk',
    // A node that runs may write nothing.
    late: (w) => (w.runs === '' ? 'blocked' : ((w.making = w.data), 'next')),
  }),
  inRoom('compares the copy with the data', (w) => (w.making === 'torn' ? failed('BACKUP_CHANGED') : 'next')),
  inRoom(
    'flushes the copy',
    after((w) => void (w.makingFlush = 'contents')),
    { needs: 'disk' },
  ),
  inRoom(
    'gives the backup its name',
    after((w) => {
      w.backup = w.making;
      // A power cut would leave the name, and not what it names.
      if (w.makingFlush === '') w.diskBackup = 'torn';
    }),
    { needs: 'disk' },
  ),
  inRoom(
    'flushes the name',
    after((w) => void (w.diskBackup = w.makingFlush === '' ? 'torn' : w.backup)),
    { needs: 'disk' },
  ),
  {
    say: 'takes its answer',
    act: (w) => {
      Object.assign(w, { room: false, making: '', makingFlush: '' });
      return OK;
    },
  },
]);

/** `tidyBackups`, with the node up; what fails is only told. */
const TOLD = { refused: to('is done') } as const;

const prune = assemble([
  { say: 'looks whether backups are made', act: (w) => (w.data === '' ? OK : 'next') },
  roomStarts(TOLD),
  inRoom('reads the new backup', () => 'next', { needs: 'disk', ...TOLD }),
  inRoom('looks for restores that were begun', (w) => (w.journal === 'open' ? 'next' : { go: 'drops' }), TOLD),
  inRoom('flushes the journal that it goes by', setting({ diskJournal: 'open' }), { needs: 'disk', ...TOLD }),
  inRoom('moves the data away', setting({ data: 'half' }), { needs: 'disk', ...TOLD }),
  inRoom(
    'finishes the restore',
    (w) => (Object.assign(w, { data: w.laid, diskData: w.laid, journal: 'done', diskJournal: 'done' }), 'next'),
    { needs: 'disk', ...TOLD },
  ),
  inRoom(
    'drops what earlier restores kept',
    (w) => {
      if (w.journalOf === 'another') Object.assign(w, { journal: '', diskJournal: '', journalOf: '', laid: '' });
      return 'next';
    },
    { at: 'drops', needs: 'disk', ...TOLD },
  ),
  {
    at: 'is done',
    say: 'is done',
    act: (w) => {
      w.room = false;
      return OK;
    },
  },
]);

export const BACKUP = { stop, backup, prune } satisfies Partial<Program>;
