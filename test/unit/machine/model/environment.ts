/** What the world does to a host: each takes one off the budget. */
import { crashed } from './disk.ts';
import { endLine, failRevert } from './host.ts';
import { exits, isDown, orderRestart, orderStart, orderStop } from './node.ts';
import { effectOf, follow, leave, type Model, type Move } from './transaction.ts';
import type { World } from './world.ts';

export const KINDS = [
  'kill',
  'kill revert@',
  'host crash',
  'node ends',
  'operator and node',
  'operator and transaction',
  'operator and revert@',
  'request',
  'bus',
  'disk',
  'source',
  'room',
  'timer',
] as const;
/** Whatever ends at any moment. */
export const KILLS = ['kill', 'kill revert@', 'host crash'] as const;
export type Kind = (typeof KINDS)[number];

type Happening = (w: World, model: Model, first: World) => readonly Move[];

const HAPPENINGS: Readonly<Record<Kind, Happening>> = {
  kill: (w, model) =>
    w.tx === 'running'
      ? [
          [
            'SIGKILL of the transaction',
            changed(w, (after) => {
              leave(after, model);
            }),
          ],
        ]
      : [],
  'kill revert@': killRevert,
  'host crash': (w, _model, first) => crashed(w, first).map((after) => ['the host crashes and boots', after]),
  'node ends': nodeEnds,
  'operator and node': (w, model) => [
    ...(isDown(w) && w.job === '' ? [] : ([['operator: systemctl stop the node', changed(w, stop(model))]] as const)),
    ['operator: systemctl start the node', changed(w, start)],
    ['operator: systemctl restart the node', changed(w, restart)],
  ],
  'operator and transaction': (w, model) =>
    w.tx === 'idle'
      ? []
      : [
          [
            'operator: systemctl stop the transaction',
            changed(w, (after) => {
              end(after, model);
            }),
          ],
        ],
  'operator and revert@': (w) =>
    w.revert === 'idle' ? [['operator: systemctl start revert@', { ...w, revert: 'queued' }]] : [],
  request: ask,
  bus: (w, model) => refused(w, model, 'bus'),
  disk: (w, model) => refused(w, model, 'disk'),
  source: sourceFails,
  room: roomDies,
  timer: (w) => (w.tx === 'idle' ? [['the timer starts the transaction', { ...w, tx: 'queued' }]] : []),
};

export function happenings(w: World, model: Model, first: World, kinds: readonly Kind[]): readonly Move[] {
  if (w.budget === 0) return [];
  return kinds.flatMap((kind) =>
    HAPPENINGS[kind](w, model, first).map(([say, after]): Move => {
      after.budget = w.budget - 1;
      after.ticks = 0;
      return [`! ${say}`, after];
    }),
  );
}

function changed(w: World, change: (after: World) => void): World {
  const after = { ...w };
  change(after);
  return after;
}

function stop(model: Model): (w: World) => void {
  return (w) => {
    // A node that was never started has nothing that could be stopped.
    if (w.current !== '' && !w.enabled && isDown(w) && w.job === '') return;
    if (w.wish !== 'stopped') w.wish = cannotBeTold(w, model) ? 'either' : 'stopped';
    w.everStopped = true;
    w.blemish = false;
    orderStop(w, 'operator');
  };
}

/**
 * Known limits: his stop while we stop the node for its data, or while it is down for that, is not told from ours. Nor is it
 * of a node that systemd forgets while the mark `down` is there, or, without a way back, from an end of its own if it was not up
 * yet and answers with an error.
 */
function cannotBeTold(w: World, { book, collectable, sulky }: Model): boolean {
  if (w.blind || w.restoring === 'start' || (w.restoring === 'rests before' && w.enabled)) return true;
  const forward = book.page(w.ledger).open?.transaction.way === 'forward';
  return (collectable && w.down !== '') || (sulky && forward && w.act !== 'active' && w.result !== 'told');
}

function start(w: World): void {
  w.wish = 'run';
  // As who restarts one.
  if (isDown(w) && w.job === '') w.blemish = false;
  orderStart(w, 'operator');
}

function restart(w: World): void {
  w.wish = 'run';
  // Who restarts a node by hand vouches for it: systemd counts its exits anew.
  w.blemish = false;
  orderRestart(w, 'operator');
}

function end(w: World, model: Model): void {
  if (w.tx === 'running') leave(w, model);
  else Object.assign(w, { tx: 'idle', early: w.restoring !== '' });
}

/** A command with `-` before it may lose its process: the next one follows. */
function killRevert(w: World, model: Model): readonly Move[] {
  if (w.revert !== 'running') return [];
  const ignored = model.design.revert[w.line]?.text.startsWith('-') === true;
  return [
    [
      `SIGKILL of revert@ in its command ${w.line + 1}`,
      changed(w, (after) => {
        (ignored ? endLine : failRevert)(after, model);
      }),
    ],
  ];
}

/** What is judged by: has the version that is not committed shown that it is bad? */
function onProbation(w: World, model: Model): boolean {
  const { open } = model.book.page(w.ledger);
  if (open === undefined || w.runs !== (open.transaction.to as string)) return false;
  return open.transaction.way === 'forward' ? !open.visited.has('clean') : !w.committing;
}

function nodeEnds(w: World, model: Model): readonly Move[] {
  if ((w.act !== 'active' && w.act !== 'activating') || w.runs === '') return [];
  const candidate = onProbation(w, model);
  const ends = (how: 'crash' | 'quit') =>
    changed(w, (after) => {
      after.evidence ||= candidate;
      after.blemish ||= candidate && !inLastStep(w);
      exits(after, how);
    });
  const crash: Move = [`${w.runs} crashes`, ends('crash')];
  if (!candidate) return model.book.page(w.ledger).open === undefined ? [] : [crash];
  const hang: Move = [`${w.runs} hangs`, changed(w, (after) => void ((after.sick = true), (after.evidence = true)))];
  return [crash, [`${w.runs} ends by itself`, ends('quit')], ...(w.sick ? [] : [hang])];
}

/** Between the last look and the unlink nothing can be seen any more. */
function inLastStep(w: World): boolean {
  return w.phase === 'step' && w.state === 'commit' && w.op > 0;
}

function ask(w: World, model: Model): readonly Move[] {
  if (w.request !== '') return [];
  const alive = w.tx !== 'idle' || w.revert !== 'idle';
  const rollback = changed(w, (after) => {
    after.request = 'rollback';
    if (!alive) after.tx = 'queued';
    else if (model.book.page(w.ledger).open !== undefined && w.tx !== 'idle') end(after, model);
  });
  const upgrade = changed(w, (after) => void ((after.request = 'upgrade'), (after.tx = 'queued')));
  return [
    ['somebody asks for a rollback', rollback],
    ...(alive ? [] : ([['somebody asks for an upgrade', upgrade]] as const)),
  ];
}

function refused(w: World, model: Model, needs: 'bus' | 'disk'): readonly Move[] {
  const effect = effectOf(w, model);
  if (effect?.needs !== needs) return [];
  const code = needs === 'bus' ? 'HOST_BUS' : 'DISK_IO';
  const what = needs === 'bus' ? 'the bus is lost' : 'the disk refuses';
  return [
    [
      `${what} as the transaction ${effect.say}`,
      changed(w, (after) => {
        const flow = effect.refused?.(after, code) ?? ({ answer: 'failed', code } as const);
        if (flow !== 'blocked') follow(after, flow);
        after.wait = '';
        if (after.phase === 'result') after.room = false;
      }),
    ],
  ];
}

/** The unit of the backup room ends without an answer: killed, out of memory, stopped by its operator. */
function roomDies(w: World, model: Model): readonly Move[] {
  const effect = effectOf(w, model);
  if (effect?.by !== 'room') return [];
  const dies = changed(w, (after) => {
    after.room = false;
    after.making = '';
    const flow = effect.refused?.(after, 'BACKUP_ROOM') ?? ({ answer: 'failed', code: 'BACKUP_ROOM' } as const);
    if (flow !== 'blocked') follow(after, flow);
  });
  return [[`the backup room dies as it ${effect.say}`, dies]];
}

function sourceFails(w: World, model: Model): readonly Move[] {
  if (effectOf(w, model)?.say !== 'fetches new') return [];
  const away = changed(w, (after) => {
    follow(after, { answer: 'failed', code: 'SOURCE_UNREACHABLE' });
  });
  const evil = changed(w, (after) => {
    after.copy = 'bad';
    follow(after, { answer: 'ok' });
  });
  return [
    ['the source does not answer', away],
    ['the source sends other bytes', evil],
  ];
}
