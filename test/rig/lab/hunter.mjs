// hunter.mjs PID STATE MICROSECONDS: kills a process so long after the ledger of `demo` says that it is about to do STATE.
// The pid is told before, so that nothing stands between the word and the kill.
import { readFileSync, watch } from 'node:fs';

const LEDGER = '/var/lib/node-updater/demo/ledger.jsonl';
const [pid, state, delay] = [Number(process.argv[2]), process.argv[3], BigInt(process.argv[4]) * 1000n];
const before = readFileSync(LEDGER).length;

function look() {
  const since = readFileSync(LEDGER).subarray(before).toString();
  if (!since.includes(`"state":"${state}"`)) return;
  const seen = process.hrtime.bigint();
  while (process.hrtime.bigint() - seen < delay);
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
  process.exit();
}
watch(LEDGER, look);
look();
