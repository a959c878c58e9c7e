// Runs two commands in turn and prints how long each run took, in milliseconds: `node alternate.mjs ROUNDS A B`.
import { spawnSync } from 'node:child_process';

const [rounds, ...commands] = process.argv.slice(2);
for (let round = 0; round < Number(rounds); round++) {
  const took = commands.map((command) => {
    const [program, ...args] = command.split(' ');
    const began = performance.now();
    const { status } = spawnSync(program, args, { stdio: 'ignore' });
    if (status !== 0) throw new Error(`${command}: status ${status}`);
    return performance.now() - began;
  });
  process.stdout.write(`${JSON.stringify(took)}\n`);
}
