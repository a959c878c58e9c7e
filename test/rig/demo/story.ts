/**
 * The main job, played from beginning to end on real input: two real releases of workerd, and that daemon made bad; a
 * publisher with a key of his own; a host with systemd, booted in a container. Each act says what it claims and checks it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crash, hang, hostCrash, killed, lookBack } from './acts-bad.ts';
import { firstRelease, install, timerRun } from './acts-good.ts';
import { bootHost, SITE } from './host.ts';
import { makeDesk } from './publisher-desk.ts';
import { makeScreen, type Screen } from './screen.ts';
import type { Program } from './stage.ts';
import { extractProgram, NEWER, OLDER, tarballOf, type Pin } from './workerd.ts';

/** Ends early, and cleans up all the same, when `signal` is aborted or a claim does not hold. */
export async function play(stream: NodeJS.WriteStream, signal: AbortSignal): Promise<void> {
  const screen = makeScreen(stream, signal);
  await using things = new AsyncDisposableStack();
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
  });
  await Promise.race([acts(screen, things), aborted]);
}

async function acts(screen: Screen, things: AsyncDisposableStack): Promise<void> {
  screen.heading('Two real releases of workerd, an HTTP server, from the npm registry');
  const programs = await mkdtemp(join(tmpdir(), 'demo-programs-'));
  things.defer(() => rm(programs, { recursive: true, force: true }));
  const older = await programOf(OLDER, programs, screen);
  const newer = await programOf(NEWER, programs, screen);
  const host = things.use(await bootHost(screen));
  const desk = things.use(await makeDesk(screen, host.container.path(SITE)));
  const stage = { screen, host, desk };
  const fingerprint = await firstRelease(stage, older);
  await install(stage, older.version, fingerprint);
  await timerRun(stage, newer);
  await crash(stage, newer, '2026-11-18', newer.version);
  await hang(stage, newer, '2026-11-19', newer.version);
  await killed(stage, newer, '2026-11-20', newer.version);
  await hostCrash(stage, newer, '2026-11-21', '2026-11-20');
  await lookBack(stage);
}

async function programOf(pin: Pin, directory: string, screen: Screen): Promise<Program> {
  const tarball = await tarballOf(pin);
  const place = join(directory, pin.version);
  await extractProgram(tarball.file, place);
  const how = tarball.from === 'cache' ? 'kept from an earlier run' : 'downloaded by npm pack';
  screen.say(`${tarball.spec}, ${how}, is what is pinned: ${tarball.integrity.slice(0, 30)}…`);
  return { file: join(place, 'workerd'), version: pin.version };
}
