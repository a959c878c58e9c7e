/** Acts in which something goes wrong, and the node comes back to its committed version. */
import { setTimeout as delay } from 'node:timers/promises';
import { claimEnded, claimRuns, now, publish, sayOutages, type Program, type Stage } from './stage.ts';

const REVERT = 'node-updater-revert@workerd.service';
const BOOT = 'node-updater-boot@workerd.service';
const TRANSACTION = 'node-updater@workerd.service';
const OURS = [
  ...['node-updater.service', TRANSACTION, REVERT],
  ...['node-updater-fetch@workerd.service', 'node-updater-probe@workerd.service'],
];

/** How many transactions have ended. */
async function count({ host }: Stage): Promise<number> {
  return (await host.ends()).length;
}

/** Whether the run that settled the last transaction found the link put back already. */
async function putBackBySystemd({ host }: Stage): Promise<boolean> {
  const settled = (await host.ledger()).findLast((entry) => entry.kind === 'result' && entry.state === 'settle');
  return settled?.kind === 'result' && settled.event === 'put-back';
}

export async function crash(stage: Stage, program: Program, version: string, committed: string): Promise<void> {
  const { screen, host } = stage;
  screen.heading('A release that starts well, then crashes: systemd puts it back, with plain commands');
  await publish(stage, program, version, 'crash');
  const ends = await count(stage);
  const since = now();
  const upgrade = await host.type('node-updater upgrade workerd');
  screen.claim('exit status 3: failed and rolled back', upgrade.status === 3);
  claimEnded(stage, await host.waitForEnd(ends + 1), version, 'GATE_EXITED');
  const said = await host.type(
    `journalctl --no-pager --no-hostname --since '${since}' -u workerd.service | grep -e 'heap out of memory' -e Aborted -e status=`,
  );
  screen.claim('the daemon itself had crashed: V8 ran out of memory', said.output.includes('heap out of memory'));
  const revert = await host.type(`systemctl cat ${REVERT} | grep ^ExecStart=`);
  screen.claim(
    'what put it back runs no code of ours, and was done when our code came to look',
    !/\/usr\/|node-autoupdate|main\.mjs/.test(revert.output) && (await putBackBySystemd(stage)),
  );
  await claimRuns(stage, committed);
  await sayOutages(stage);
}

export async function hang(stage: Stage, program: Program, version: string, committed: string): Promise<void> {
  const { screen, host } = stage;
  screen.heading('A release that runs and never answers: the gate sees it, and it is put back');
  await publish(stage, program, version, 'hang');
  const ends = await count(stage);
  const upgrade = await host.type('node-updater upgrade workerd');
  screen.claim('exit status 3: failed and rolled back', upgrade.status === 3);
  const ended = await host.waitForEnd(ends + 1);
  claimEnded(stage, ended, version, 'GATE_PROBE');
  screen.claim('it is in quarantine', ended.quarantine?.version === version);
  await claimRuns(stage, committed);
  await sayOutages(stage);
  const again = await host.type('node-updater upgrade workerd');
  screen.claim(
    'asked again, the host does not take it twice',
    again.status === 1 && again.output.includes('--force quarantine') && (await count(stage)) === ends + 1,
  );
  await host.type('node-updater why workerd');
}

/** Runs as the node has stopped and before it is started again: kills the updater, once. */
const saboteur = `[Service]
ExecStopPost=-+sh -c 'rm /run/saboteur && systemctl kill --signal=KILL ${TRANSACTION}'
`;
const SETTLING: ReadonlySet<string> = new Set(['settle', 'gate-old', 'withdraw']);
const SABOTEUR = '/run/systemd/system/workerd.service.d/50-saboteur.conf';

export async function killed(stage: Stage, program: Program, version: string, committed: string): Promise<void> {
  const { screen, host } = stage;
  screen.heading('The updater is killed while the node is stopped');
  screen.say(`${version} is a good release: the real ${program.version} under a later number.`);
  await publish(stage, program, version);
  await host.container.push(Buffer.from(saboteur), SABOTEUR);
  screen.say('A saboteur waits for the moment in which the node is down:');
  await host.type(`cat ${SABOTEUR}; touch /run/saboteur; systemctl daemon-reload`);
  const ends = await count(stage);
  const upgrade = await host.type('node-updater upgrade workerd');
  screen.claim('exit status 3: failed and rolled back', upgrade.status === 3);
  const ended = await host.waitForEnd(ends + 1);
  const reached = (await host.ledger()).findLast((entry) => entry.kind === 'intent' && !SETTLING.has(entry.state));
  screen.claim(
    'it was killed between the stop of the node and its start',
    reached?.kind === 'intent' && reached.state === 'start' && (await putBackBySystemd(stage)),
  );
  await host.container.sh(`test ! -e /run/saboteur; rm ${SABOTEUR}; systemctl daemon-reload`);
  claimEnded(stage, ended, version, 'ACTIVATE_INTERRUPTED');
  await claimRuns(stage, committed);
  const worst = await sayOutages(stage);
  screen.claim('the node was back within a second or so', worst > 0 && worst < 2000);
  screen.say('That says nothing against the release. The next run takes it:');
  const again = await host.type('node-updater upgrade workerd');
  screen.claim(`${version} is committed`, again.status === 0);
  await claimRuns(stage, version);
  await sayOutages(stage);
}

export async function hostCrash(stage: Stage, program: Program, version: string, committed: string): Promise<void> {
  const { screen, host } = stage;
  screen.heading('The host crashes in the middle of a soak: it boots the committed version');
  await publish(stage, program, version);
  const ends = await count(stage);
  await host.type('node-updater upgrade workerd --no-wait');
  await host.container.waitFor(
    `tail -n 1 /var/lib/node-updater/workerd/ledger.jsonl | grep -q '"state":"soak"' && [ -L /opt/workerd/fallback ]`,
  );
  await delay(3_000);
  const { output } = await host.type('node-updater status; ls -l /opt/workerd | grep -e current -e fallback');
  screen.claim(`${version} is on probation`, output.includes('on probation'));
  await sayOutages(stage);
  screen.say('PID 1 is killed, and with it everything. Then the host boots.');
  await host.container.crash();
  const crashed = Date.now();
  await host.container.boot();
  await host.outages();
  screen.say(`From the crash to the first answer of the node: ${String(Date.now() - crashed)} ms.`);
  await claimRuns(stage, committed);
  const ran = await host.type(`systemctl show -p Id -p ExecMainStartTimestamp ${BOOT} ${OURS.join(' ')}`);
  const times = ran.output.split('\n').flatMap((line) => /^ExecMainStartTimestamp=(.*)/.exec(line)?.[1] ?? []);
  screen.claim(
    'nothing of ours but mv and sync has run since',
    times.length === 1 + OURS.length && times[0] !== '' && times.slice(1).every((time) => time === ''),
  );
  host.watch();
  await host.container.sh('systemctl log-level info');
  screen.say('The next run of the timer settles what the crash left open, and tries the release once more:');
  const since = now();
  await host.type('systemctl start node-updater.service');
  const last = await host.waitForEnd(ends + 2);
  await host.type(`journalctl --no-pager --no-hostname --since '${since}' -u ${TRANSACTION}`);
  const before = (await host.ends()).at(-2);
  screen.claim(
    'the crash is on record, and is not held against the release',
    before?.failure?.code === 'ACTIVATE_INTERRUPTED' && before.quarantine === undefined,
  );
  screen.claim(`${version} is committed`, last.outcome === 'committed');
  await claimRuns(stage, version);
  await sayOutages(stage);
}

export async function lookBack(stage: Stage): Promise<void> {
  const { screen, host } = stage;
  screen.heading('What the host tells about all this');
  await host.type('node-updater status');
  const history = await host.type('node-updater history workerd');
  const outcomes = (await host.ends()).map(({ outcome }) => outcome);
  screen.claim(
    'four were committed and four put back, as the story went',
    outcomes.join() === 'committed,committed,rolled-back,rolled-back,rolled-back,committed,rolled-back,committed' &&
      history.status === 0,
  );
  await host.type('node-updater why workerd');
  await host.type('node-updater versions workerd');
  await host.type(`journalctl --no-pager --no-hostname -o cat -u ${TRANSACTION} | grep -e committed -e 'put back to'`);
  const { output } = await host.type(
    "pgrep --list-full --full '[n]ode-autoupdate/main.mjs' || echo no process of node-updater",
  );
  screen.claim('between two runs nothing of ours runs', output === 'no process of node-updater');
}
