/** What systemd and the programs it runs do by themselves: every step that needs nobody's doing. */
import { BOOT } from './fallback.ts';
import { advance } from './node.ts';
import { runs, type Model, type Move } from './transaction.ts';
import type { World } from './world.ts';

export function hostMoves(w: World, model: Model): readonly Move[] {
  return [
    ...transactionMoves(w, model),
    ...revertMoves(w, model),
    ...bootMoves(w, model),
    ...restoreMoves(w),
    ...nodeMoves(w, model),
    ...askerMoves(w),
  ];
}

function transactionMoves(w: World, model: Model): readonly Move[] {
  if (w.tx === 'running') return runs(w, model);
  // Ordered after node-updater-revert@: its job goes first.
  if (w.tx !== 'queued' || w.revert === 'queued' || w.revert === 'running') return [];
  return [['systemd: starts the transaction', { ...w, tx: 'running', phase: 'begin', op: 0 }]];
}

function revertMoves(w: World, model: Model): readonly Move[] {
  if (w.revert === 'idle') return [];
  if (w.revert === 'running') return revertCommand(w, model);
  if (w.revert === 'queued' && w.fallback === '' && !w.open) {
    return [['systemd: finds nothing to do for revert@', { ...w, revert: 'idle' }]];
  }
  const say = w.revert === 'retry' ? 'systemd: starts revert@ again' : 'systemd: starts revert@';
  // The conditions are asked at each start, also at a later try.
  if (w.revert === 'retry' && w.fallback === '' && !w.open) return [[say, { ...w, revert: 'idle' }]];
  return [[say, { ...w, revert: 'running', line: 0, part: 0 }]];
}

function revertCommand(w: World, model: Model): readonly Move[] {
  const line = model.design.revert[w.line];
  const part = line?.parts[w.part];
  if (line === undefined || part === undefined) throw new Error(`revert@ has no part ${w.part} in line ${w.line}`);
  const after = { ...w };
  const then = part.act(after);
  if (then === 'part') after.part += 1;
  else if (then === 'line' || line.text.startsWith('-')) endLine(after, model);
  else failRevert(after);
  return [[`revert@ ${w.line + 1}: ${part.say}`, after]];
}

export function endLine(w: World, model: Model): void {
  w.part = 0;
  w.line += 1;
  w.found = '';
  if (w.line < model.design.revert.length) return;
  w.line = 0;
  w.revert = 'idle';
  // OnSuccess=
  if (w.tx === 'idle') w.tx = 'queued';
}

/** Restart=on-failure: it begins again, from its first command. */
export function failRevert(w: World): void {
  w.revert = 'retry';
  w.line = 0;
  w.part = 0;
  w.found = '';
}

function bootMoves(w: World, model: Model): readonly Move[] {
  if (w.bootUnit === 'idle') return [];
  if (w.bootUnit === 'queued') {
    const acts = w.fallback !== '' && !model.design.bootKeepsOff(w);
    if (!acts) return [['systemd: finds nothing to do for boot@', { ...w, bootUnit: 'idle' }]];
    return [['systemd: starts boot@', { ...w, bootUnit: 'running', bootPart: 0 }]];
  }
  const parts = BOOT.flatMap((line) => line.parts);
  const part = parts[w.bootPart];
  if (part === undefined) throw new Error(`boot@ has no part ${w.bootPart}`);
  const after = { ...w };
  const then = part.act(after);
  after.bootPart = then === 'part' ? w.bootPart + 1 : w.bootPart < 2 ? 2 : parts.length;
  if (after.bootPart >= parts.length) {
    after.bootUnit = 'idle';
    after.bootPart = 0;
  }
  return [[`boot@: ${part.say}`, after]];
}

/** node-updater-restore@: starts the transaction, if a restore is open. */
function restoreMoves(w: World): readonly Move[] {
  if (w.restoreUnit === 'idle') return [];
  const after: World = { ...w, restoreUnit: 'idle' };
  if (w.restoring === '') return [['systemd: finds nothing to do for restore@', after]];
  if (w.tx === 'idle') after.tx = 'queued';
  return [['restore@: starts the transaction', after]];
}

function nodeMoves(w: World, model: Model): readonly Move[] {
  const after = { ...w };
  const say = advance(after, model.sulky);
  if (say !== undefined) return [[`systemd: ${say}`, after]];
  if (!model.collectable || w.act !== 'inactive' || w.job !== '' || w.forgotten) return [];
  return [['systemd: forgets the unit that is down', { ...w, forgotten: true }]];
}

/** Who asked starts the unit again when it ended without taking the request. */
function askerMoves(w: World): readonly Move[] {
  if (w.request === '' || w.tx !== 'idle' || w.revert !== 'idle') return [];
  return [['asker: hands the request over again', { ...w, tx: 'queued' }]];
}
