/**
 * Asks the node over and over, each time on a new connection, and writes one JSON line for each time that it did not
 * answer: from the last answer before to the first one after, in milliseconds. Runs in the container, on the package's Node.
 */
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const URL = process.argv[2];
const PAUSE = 5;
const PATIENCE = 250;

/** The text of a good answer, or undefined. */
function ask() {
  return new Promise((resolve) => {
    const request = get(URL, { agent: false, timeout: PATIENCE }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve(response.statusCode === 200 ? text.trim() : undefined));
      response.on('error', () => resolve(undefined));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}

let answered;
let failed = false;
for (;;) {
  const answer = await ask();
  const now = performance.now();
  if (answer === undefined) failed = true;
  else {
    if (failed && answered !== undefined) {
      const outage = { milliseconds: Math.round(now - answered.at), before: answered.by, after: answer };
      process.stdout.write(`${JSON.stringify(outage)}\n`);
    }
    answered = { at: now, by: answer };
    failed = false;
  }
  await delay(PAUSE);
}
