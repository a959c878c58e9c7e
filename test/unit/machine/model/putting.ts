/** The room's part of a restore, and what becomes of the step when it fails: the effects of src/backup/restore.ts. */
import type { ErrorCode } from '../../../../src/errors.ts';
import { after, failed, type Flow, type Go, type Step } from './effect.ts';
import { inRoom, roomStarts, to, setting } from './room.ts';
import type { World } from './world.ts';

/** The data is as it was when the room says so; one that died says nothing. */
function putBackFails(w: World, code: ErrorCode): Go {
  return to(code.startsWith('DISK_') ? 'refused' : 'held down')(w, code);
}

export const HALF = { refused: to('held down') } as const;
const WHOLE = { refused: putBackFails } as const;

/** `restoreBackup`, in the room. */
export const putting: readonly Step[] = [
  roomStarts({ at: 'room', ...WHOLE }),
  inRoom(
    'looks for a restore that was begun',
    (w) => {
      if (w.journal === 'open') return { go: 'moves' };
      return w.journal === 'done' && w.journalOf === 'this' ? { go: 'closes' } : 'next';
    },
    { at: 'begun', ...WHOLE },
  ),
  inRoom(
    'lays the backup beside the data',
    (w) => {
      if (w.backup === '' || w.backup === 'torn') return to('refused')(w, 'BACKUP_DAMAGED');
      w.laid = w.backup;
      return 'next';
    },
    { needs: 'disk', ...WHOLE },
  ),
  inRoom('opens the journal', setting({ journal: 'open', journalOf: 'this' }), { needs: 'disk', ...WHOLE }),
  inRoom('flushes the open journal', (w) => ((w.diskJournal = 'open'), { go: 'moves' }), {
    needs: 'disk',
    refused: (w, code) => (code === 'BACKUP_ROOM' ? putBackFails(w, code) : ((w.code = code), { go: 'takes back' })),
  }),
  inRoom('takes the journal away again', setting({ journal: '', journalOf: '' }), {
    at: 'takes back',
    needs: 'disk',
    ...HALF,
  }),
  inRoom('flushes that', (w) => ((w.diskJournal = ''), putBackFails(w, 'DISK_IO')), { needs: 'disk', ...HALF }),
  inRoom('flushes the journal that it goes by', setting({ diskJournal: 'open' }), {
    at: 'moves',
    needs: 'disk',
    ...HALF,
  }),
  inRoom('moves the data away', setting({ data: 'half' }), { needs: 'disk', ...HALF }),
  inRoom(
    'moves the backup in',
    after((w) => void (w.data = w.laid)),
    { needs: 'disk', ...HALF },
  ),
  inRoom(
    'flushes the data',
    after((w) => void (w.diskData = w.data)),
    { needs: 'disk', ...HALF },
  ),
  inRoom('closes the journal', setting({ journal: 'done' }), { at: 'closes', needs: 'disk', ...HALF }),
  inRoom(
    'flushes the closed journal',
    (w) => {
      w.diskJournal = 'done';
      // What another transaction left is done; now this one's.
      return w.journalOf === 'another' ? { go: 'begun' } : 'next';
    },
    { needs: 'disk', ...HALF },
  ),
  { say: 'takes its answer', act: setting({ room: false }) },
];

function failing(_: World, code: ErrorCode): Flow {
  return failed(code);
}

/** `finishRestores`, in the room; `then`: where it goes on. What fails leaves the node held down. */
export function finishing(then: string): readonly Step[] {
  const at = putting.findIndex((step) => step.at === 'moves');
  const moves = putting.slice(at).map((step): Step => ({ ...step, refused: failing }));
  return [
    roomStarts({ at: 'room' }),
    inRoom('looks for a restore that was begun', (w) => (w.journal === 'open' ? { go: 'moves' } : { go: 'finished' })),
    ...moves.slice(0, -2),
    inRoom('flushes the closed journal', setting({ diskJournal: 'done' }), { needs: 'disk' }),
    { say: 'takes its answer', at: 'finished', act: (w) => ((w.room = false), { go: then }) },
  ];
}
