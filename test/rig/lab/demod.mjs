// The daemon that the container tests manage: an HTTP server on loopback that behaves as the file `behaviour` beside it says.
// It is made to misbehave in ways that no real daemon does on command; the demo runs a real one. With DEMOD_DATA it keeps
// data there, moves it to its own epoch at its start, and does not run on data of a later one.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';

const share = dirname(process.argv[1]);
const [behaviour, argument] = readFileSync(join(share, 'behaviour'), 'utf8').trim().split(' ');
const version = readFileSync(join(share, 'version'), 'utf8').trim();
if (process.env.DEMOD_DATA) {
  const own = Number(readFileSync(join(share, 'epoch'), 'utf8'));
  const epochFile = join(process.env.DEMOD_DATA, 'epoch');
  const found = existsSync(epochFile) ? Number(readFileSync(epochFile, 'utf8')) : own;
  if (found > own) {
    process.stderr.write(`the data is of epoch ${found}, and ${version} knows ${own}\n`);
    process.exit(1);
  }
  writeFileSync(epochFile, String(own));
  appendFileSync(join(process.env.DEMOD_DATA, 'starts'), `${version}\n`);
}
const began = process.hrtime.bigint();
const runningFor = () => Number((process.hrtime.bigint() - began) / 1000000n);

const server = createServer((request, response) => {
  if (behaviour === 'hang') return;
  const wrong = behaviour === 'sick' || (behaviour === 'late' && runningFor() > Number(argument));
  const flapping = behaviour === 'flap' && Math.random() < 0.5;
  response.writeHead(wrong || flapping ? 500 : 200);
  response.end(`${version}\n`);
});
process.on('SIGTERM', () => {
  if (behaviour === 'deaf') return;
  process.exit(behaviour === 'sulky' ? 1 : 0);
});
if (behaviour === 'silent') setInterval(() => undefined, 1000);
// What systemd listens on for us is descriptor 3.
else if (process.env.LISTEN_FDS === '1') server.listen({ fd: 3 });
else server.listen(Number(process.env.DEMOD_PORT ?? 8080), '127.0.0.1');
if (behaviour === 'crash') setTimeout(() => process.exit(1), Number(argument));
if (behaviour === 'quit') setTimeout(() => process.exit(0), Number(argument));
if (behaviour === 'abort') setTimeout(() => process.abort(), Number(argument));
