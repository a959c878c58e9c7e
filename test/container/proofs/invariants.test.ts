/** The checker of the proofs is itself shown to see each violation: each is planted on a real host. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { violations, violationsAtOnce } from '../../rig/proof/invariants.ts';
import { DATA, mark, observe, type Observation } from '../../rig/proof/observe.ts';
import { makeStage, type Stage } from '../../rig/proof/stage.ts';

let stage: Stage;
let before: Observation;

/** Version 2.0.0 was just committed after 1.0.0; nothing is wrong yet. */
beforeAll(async () => {
  stage = await makeStage();
  ({ before } = await stage.prepare('upgrade'));
  await stage.ask('upgrade');
  await stage.calm();
});
afterAll(() => stage[Symbol.asyncDispose]());

const OPT = '/opt/demo';
const PROBATION = '/run/systemd/system/demo.service.d';
const STATE = '/var/lib/node-updater/demo';

/** `away` undoes it. `always`: it may not be so even for a moment. */
interface Plant {
  readonly what: string;
  readonly plant: string;
  readonly away: string;
  readonly seen: RegExp;
  readonly always?: true;
}

const file = (path: string) => ({ plant: `echo x >${path}`, away: `rm ${path}` });
const directory = (path: string) => ({ plant: `mkdir ${path}; echo x >${path}/0`, away: `rm -r ${path}` });
const running = (version: string) =>
  `until tr '\\0' ' ' </proc/$(systemctl show -P MainPID demo)/cmdline | grep -q versions/${version}/; do sleep 0.05; done`;
/** Keeps a file as it was. */
const spoilt = (path: string, script: string) => ({
  plant: `cp -p ${path} /root/kept; ${script}`,
  away: `cat /root/kept >${path}; rm /root/kept`,
});

const PLANTS: readonly Plant[] = [
  {
    what: 'current that is gone',
    plant: `mv ${OPT}/current ${OPT}/gone`,
    away: `mv ${OPT}/gone ${OPT}/current`,
    seen: /^I1 current is gone/,
    always: true,
  },
  {
    what: 'current that is a directory',
    plant: `mv ${OPT}/current ${OPT}/gone; mkdir ${OPT}/current`,
    away: `rmdir ${OPT}/current; mv ${OPT}/gone ${OPT}/current`,
    seen: /^I1 a link reads "no link: directory"/,
    always: true,
  },
  {
    what: 'current that dangles',
    plant: `ln -sfn versions/9.9.9 ${OPT}/current`,
    away: `ln -sfn versions/2.0.0 ${OPT}/current`,
    seen: /^I1 a link names 9\.9\.9, which is not there/,
    always: true,
  },
  {
    what: 'fallback that dangles',
    plant: `ln -s versions/9.9.9 ${OPT}/fallback`,
    away: `rm ${OPT}/fallback`,
    seen: /^I1 a link names 9\.9\.9, which is not there/,
    always: true,
  },
  {
    what: 'a byte too many in a file of the current version',
    ...spoilt(`${OPT}/versions/2.0.0/share/version`, `echo >>${OPT}/versions/2.0.0/share/version`),
    seen: /^I1 a link names 2\.0\.0, whose files/,
    always: true,
  },
  {
    what: 'a file too many in the current version',
    ...file(`${OPT}/versions/2.0.0/share/more`),
    seen: /^I1 a link names 2\.0\.0, whose files/,
    always: true,
  },
  {
    what: 'another mode of a file of the current version',
    plant: `chmod 700 ${OPT}/versions/2.0.0/bin/demod`,
    away: `chmod 755 ${OPT}/versions/2.0.0/bin/demod`,
    seen: /^I1 a link names 2\.0\.0, whose files/,
    always: true,
  },
  {
    what: 'a process of the version before behind the new link',
    plant: `ln -sfn versions/1.0.0 ${OPT}/current; systemctl restart demo; ${running('1.0.0')}; ln -sfn versions/2.0.0 ${OPT}/current`,
    away: `systemctl restart demo; ${running('2.0.0')}`,
    seen: /^I2 1\.0\.0 runs, and current names 2\.0\.0/,
  },
  {
    what: 'a node that is down',
    plant: 'systemctl stop demo',
    away: `systemctl start demo; ${running('2.0.0')}`,
    seen: /^I2 the node is inactive/,
  },
  {
    what: 'a ledger with a changed byte',
    ...spoilt(`${STATE}/ledger.jsonl`, `sed -i '2s/"n":2/"n":3/' ${STATE}/ledger.jsonl`),
    seen: /^I3 .*damaged at line 2/,
    always: true,
  },
  {
    what: 'a ledger that lost records',
    ...spoilt(`${STATE}/ledger.jsonl`, `sed -i '5,$d' ${STATE}/ledger.jsonl`),
    seen: /^I3 records that the ledger had are gone/,
    always: true,
  },
  {
    what: 'a ledger that is gone',
    plant: `mv ${STATE}/ledger.jsonl /root/kept`,
    away: `mv /root/kept ${STATE}/ledger.jsonl`,
    seen: /^I3 records that the ledger had are gone/,
    always: true,
  },
  {
    what: 'a lower serial',
    ...spoilt(`${STATE}/trust.json`, `sed -i 's/"serial":[0-9]*/"serial":0/' ${STATE}/trust.json`),
    seen: /^I4 the serial fell/,
    always: true,
  },
  {
    what: 'a serial that cannot be read',
    ...spoilt(`${STATE}/trust.json`, `printf '{"schema"' >${STATE}/trust.json`),
    seen: /^I4 trust\.json cannot be read/,
    always: true,
  },
  {
    what: 'a version before that lost a file',
    ...spoilt(`${OPT}/versions/1.0.0/share/version`, `: >${OPT}/versions/1.0.0/share/version`),
    seen: /^I5 the version before is 1\.0\.0, whose files/,
    always: true,
  },
  {
    what: 'a version before that is gone',
    plant: `mv ${OPT}/versions/1.0.0 /root/kept`,
    away: `mv /root/kept ${OPT}/versions/1.0.0`,
    seen: /^I5 the version before is 1\.0\.0, which is not there/,
    always: true,
  },
  { what: 'data that has changed', ...file(`${DATA}/more`), seen: /^I6 the data/, always: true },
  { what: 'a new file in /etc', ...file('/etc/more'), seen: /^I7 \/etc\/more has changed/, always: true },
  {
    what: 'a file of another product in /opt',
    ...directory('/opt/another'),
    seen: /^I7 \/opt\/another\/0/,
    always: true,
  },
  {
    what: 'a file of another unit',
    ...file('/etc/systemd/system/another.service'),
    seen: /^I7 \/etc\/systemd\/system\/another\.service/,
    always: true,
  },
  {
    what: 'a file that is gone from /usr',
    plant: 'mv /usr/bin/arch /root/kept',
    away: 'mv /root/kept /usr/bin/arch',
    seen: /^I7 \/usr\/bin has changed/,
    always: true,
  },
  {
    what: 'a link fallback',
    plant: `ln -s versions/1.0.0 ${OPT}/fallback`,
    away: `rm ${OPT}/fallback`,
    seen: /^I8 fallback is left over/,
  },
  { what: 'a mark', ...file('/run/node-updater/demo/open'), seen: /^I8 left over: .*\/open/ },
  { what: 'a request', ...file('/run/node-updater/demo/request.json'), seen: /^I8 left over: .*\/request\.json/ },
  {
    what: 'the drop-in of the probation',
    plant: `mkdir -p ${PROBATION}; echo '[Unit]' >${PROBATION}/zzz-node-updater.conf`,
    away: `rm ${PROBATION}/zzz-node-updater.conf`,
    seen: /^I8 left over: .*zzz-node-updater\.conf/,
  },
  {
    what: 'a reload of systemd that was forgotten',
    plant: 'touch -d "+1 min" /etc/systemd/system/demo.service',
    away: 'touch /etc/systemd/system/demo.service; systemctl daemon-reload',
    seen: /^I8 left over: a reload of systemd/,
  },
  {
    what: 'a directory that was being staged',
    ...directory(`${OPT}/versions/.staging-0123456789ab`),
    seen: /^I8 left over: .*\.staging-/,
  },
  { what: 'a temporary link', ...file(`${OPT}/.current.0123456789abcdef01234567`), seen: /^I8 left over: .*\.current/ },
  {
    what: 'a record without its version',
    ...file(`${OPT}/versions/.9.9.9.complete`),
    seen: /^I8 left over: .*\.9\.9\.9\.complete/,
  },
  {
    what: 'a listing without its version',
    ...file(`${OPT}/versions/.9.9.9.files`),
    seen: /^I8 left over: .*\.9\.9\.9\.files/,
  },
  {
    what: 'a version without its listing',
    plant: `mv ${OPT}/versions/.2.0.0.files /root/kept`,
    away: `mv /root/kept ${OPT}/versions/.2.0.0.files`,
    seen: /^I8 left over: .*2\.0\.0 without its listing/,
  },
  { what: 'a copy of an archive', ...file(`${STATE}/incoming/archive`), seen: /^I8 left over: .*incoming\/archive/ },
  {
    what: 'a temporary file of the state',
    ...file(`${STATE}/.check.json.0123456789abcdef01234567`),
    seen: /^I8 left over: .*\.check\.json/,
  },
];

describe('the checker of the invariants', () => {
  it('has nothing to say of a node that was updated', async () => {
    const now = await observe(stage.lab);
    expect(now.current).toBe('versions/2.0.0');
    expect(violations(before, now, stage.references)).toEqual([]);
    expect(violationsAtOnce(before, now, stage.references)).toEqual([]);
  });

  it.each(PLANTS)('sees $what', async ({ plant, away, seen, always }) => {
    const { host } = stage.lab;
    await host.sh(plant);
    const now = await observe(stage.lab);
    await host.sh(away);
    await mark(stage.lab);
    const [atOnce, settled] = [violationsAtOnce, violations].map((check) => check(before, now, stage.references));
    expect(settled).toEqual(expect.arrayContaining([expect.stringMatching(seen)]));
    const moment = expect.arrayContaining([expect.stringMatching(seen)]) as unknown;
    if (always) expect(atOnce).toEqual(moment);
    else expect(atOnce).not.toEqual(moment);
  });

  it('sees a transaction that has not ended, and a link that says something else than its end', async () => {
    const now = await observe(stage.lab);
    const lines = now.ledger.trimEnd().split('\n');
    const open = { ...now, ledger: `${lines.slice(0, -1).join('\n')}\n` };
    expect(violations(before, open, stage.references)).toEqual(['I9 the transaction to 2.0.0 has not ended']);
    const back = { ...now, current: 'versions/1.0.0', unit: { activeState: 'active', running: '1.0.0' } };
    expect(violations(before, back, stage.references)).toEqual([
      'I9 the ledger says that 2.0.0 is committed, current names 1.0.0',
    ]);
  });

  it('sees a version that failed here and was tried again by itself, and not one that a person forced', async () => {
    const { before: start } = await stage.prepare('bad upgrade');
    await stage.ask('bad upgrade');
    await stage.calm();
    await stage.ask('bad upgrade'); // forced: its quarantine is lifted first
    await stage.calm();
    const now = await observe(stage.lab);
    expect(violations(start, now, stage.references)).toEqual([]);
    const ledger = withoutLifting(now.ledger);
    expect(violations({ ...start, ledger: '' }, { ...now, ledger }, stage.references)).toEqual([
      expect.stringMatching(/^I10 3\.0\.0 failed here, and was tried again by itself/),
    ]);
  });
});

function rechained(lines: readonly string[]): string {
  let prev = '0'.repeat(64);
  return lines
    .map((line) => {
      const chained = JSON.stringify({ ...(JSON.parse(line) as object), prev });
      prev = createHash('sha256').update(chained).digest('hex');
      return `${chained}\n`;
    })
    .join('');
}

/** The same ledger, but whoever tried again did not lift the quarantine: the entry becomes an answer, and the chain is made anew. */
function withoutLifting(ledger: string): string {
  return rechained(
    ledger
      .trimEnd()
      .split('\n')
      .map((line) => line.replace('"kind":"lifted"', '"kind":"answer"')),
  );
}
