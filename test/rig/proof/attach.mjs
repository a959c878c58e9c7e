// Loaded before the updater, by a drop-in of the proofs (tracer.ts). Holds an armed run at its very beginning until the tracer
// outside has attached to the two threads that change anything: the main one, and the one of libuv's pool. The names that
// are random become countable, so that a point of one run can be found again in another.
import crypto from 'node:crypto';
import { existsSync, promises, readFileSync, readdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const AT = '/srv/proof';

if (existsSync(`${AT}/armed`)) {
  const run = readFileSync(`${AT}/armed`, 'utf8').trim();
  unlinkSync(`${AT}/armed`);
  countNames(run);
  await promises.stat(AT); // the pool's thread is there now
  const threads = readdirSync('/proc/self/task').map((id) => ({ id, name: nameOf(id) }));
  writeFileSync(`${AT}/ready.new`, JSON.stringify({ main: String(process.pid), pool: poolOf(threads) }));
  renameSync(`${AT}/ready.new`, `${AT}/ready`);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (!existsSync(`${AT}/go`)) Atomics.wait(pause, 0, 0, 3);
  unlinkSync(`${AT}/go`);
}

// A run of its own in each name: what a run that was killed has left is in nobody's way.
function countNames(run) {
  let count = 0;
  const next = (length) => `${run}${String(++count).padStart(length - run.length, '0')}`;
  crypto.randomBytes = (size) => Buffer.from(next(2 * size), 'hex');
  promises.mkdtemp = async (prefix) => {
    const path = `${prefix}${next(12)}`;
    await promises.mkdir(path, 0o700);
    return path;
  };
  syncBuiltinESMExports();
}

function nameOf(id) {
  return readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim();
}

function poolOf(threads) {
  const [only, ...more] = threads.filter(({ name }) => name === 'libuv-worker');
  if (only === undefined || more.length > 0) throw new Error(`the pool has ${more.length + 1} threads, wanted one`);
  return only.id;
}
