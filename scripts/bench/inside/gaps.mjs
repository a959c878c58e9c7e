// Asks an HTTP daemon on loopback again and again, by a new connection each time, and prints in milliseconds how long it
// was without an answer, whenever that was longer than usual: `node gaps.mjs PORT`.
import { connect } from 'node:net';

const port = Number(process.argv[2]);
const USUAL = 15;
let answered = performance.now();

function ask() {
  const socket = connect(port, '127.0.0.1');
  let again = () => {
    again = () => undefined;
    socket.destroy();
    setTimeout(ask, 1);
  };
  socket.setTimeout(1000, () => again());
  socket.on('error', () => again());
  socket.on('close', () => again());
  socket.on('data', () => {
    const now = performance.now();
    if (now - answered > USUAL) process.stdout.write(`${(now - answered).toFixed(1)}\n`);
    answered = now;
    again();
  });
  socket.write('GET / HTTP/1.0\r\n\r\n');
}
ask();
