/**
 * Bit rot and hands in a version that could be gone back to, on a booted host: it is named, a rollback to it is refused with
 * the node untouched, and the command that the refusal names brings a clean copy. What is typed here is what was said.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { makeLab, type Lab } from '../rig/lab/lab.ts';
import { runs } from '../rig/lab/runs.ts';
import type { VersionsReport } from '../../src/cli/versions.ts';

const OLD = '/opt/demo/versions/1.0.0';
let lab: Lab;
afterEach(() => lab[Symbol.asyncDispose]());

/** A host that runs 2.0.0, and ran 1.0.0 before. */
async function upgraded(): Promise<void> {
  lab = await makeLab({ fill: (tree) => writeFile(join(tree, 'share', 'data'), 'x'.repeat(3_000_000)) });
  await lab.configure({ soak: '1s' });
  for (const version of ['1.0.0', '2.0.0']) {
    await lab.publish(version);
    const { status, stderr } = await lab.updater('upgrade');
    expect(status, stderr).toBe(0);
  }
}

/** Turns one bit of a file, as a disk would: without any call that says so. */
async function rot(path: string): Promise<void> {
  await lab.host.sh(`byte=$(od -An -tu1 -j 5 -N 1 ${path} | tr -d ' ')
printf "\\\\$(printf %03o $((byte ^ 1)))" | dd of=${path} bs=1 seek=5 conv=notrunc status=none`);
}

const mainPid = (): Promise<string> => lab.host.sh('systemctl show -P MainPID demo.service');

/** The command after `words` in what was said. */
function commandIn(said: string, words: string): string[] {
  const command = new RegExp(`${words}: sudo node-updater (.*?)(?:\\. |\n|$)`).exec(said)?.[1];
  if (command === undefined) expect.unreachable(said);
  return command.trim().split(' ');
}

async function verified(): Promise<{
  readonly status: number;
  readonly report: VersionsReport;
  readonly said: string;
}> {
  const json = await lab.updater('versions', 'demo', '--verify', '--json');
  const text = await lab.updater('versions', '--verify');
  expect(text.status).toBe(json.status);
  return { status: json.status, report: JSON.parse(json.stdout) as VersionsReport, said: text.stdout };
}

describe('a version in which one bit fell over', () => {
  it('is named, is not gone back to while the node runs on, and is gone back to once the command that was named is typed [F070]', async () => {
    await upgraded();
    const pid = await mainPid();
    expect(await verified()).toMatchObject({
      status: 0,
      report: {
        versions: [
          { version: '2.0.0', files: { state: 'holds' } },
          { version: '1.0.0', files: { state: 'holds' } },
        ],
      },
    });
    await rot(`${OLD}/share/data`);
    const { status, report, said } = await verified();
    expect(status).toBe(5);
    expect(report.versions[1]?.files).toEqual({
      state: 'damaged',
      differences: [{ path: 'share/data', what: 'content', message: 'has another content' }],
      count: 1,
    });
    expect(said).toMatch(/1\.0\.0 is not what was staged:\n {2}share\/data has another content/);
    expect((await lab.updater('rollback', '--dry-run')).status).toBe(5);
    for (const line of [['rollback'], ['rollback', '--to', '1.0.0']]) {
      const refused = await lab.updater(...line);
      expect(refused.status).toBe(5);
      expect(refused.stderr).toContain('--restage 1.0.0');
      expect(await lab.lastEnd()).toMatchObject({ outcome: 'unchanged', failure: { code: 'HOST_DAMAGED' } });
      expect(await mainPid()).toBe(pid);
    }
    const brought = await lab.updater(...commandIn(said, 'For a clean copy'));
    expect(brought.status, brought.stderr).toBe(0);
    expect(await mainPid()).toBe(pid);
    expect((await verified()).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
    expect(await lab.host.sh('ls -A /opt/demo/versions | xargs')).toBe(
      '.1.0.0.complete .1.0.0.files .2.0.0.complete .2.0.0.files 1.0.0 2.0.0',
    );
    expect((await lab.updater('rollback')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
  });

  it('stays where it is while there is no clean copy to be had, and is gone back to when its operator says so by name', async () => {
    await upgraded();
    await rot(`${OLD}/share/data`);
    await lab.host.sh('rm -r /srv/releases/releases/1.0.0');
    const { status, stderr } = await lab.updater('versions', '--restage', '1.0.0');
    expect(status, stderr).toBe(75);
    expect((await verified()).report.versions[1]).toMatchObject({ staged: true, files: { state: 'damaged' } });
    const refused = await lab.updater('rollback');
    const forced = await lab.updater(...commandIn(refused.stderr, 'all the same'));
    expect(forced.status, forced.stderr).toBe(0);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
  });
});

describe('a version that its operator has edited', () => {
  it('is named with all that differs; the next update is taken as if nothing were, and a drill of it is refused [F121]', async () => {
    await upgraded();
    await lab.host.sh(`cd /opt/demo/versions
echo '# mine' >>2.0.0/bin/demod; rm 2.0.0/share/version; : >2.0.0/notes; chown demo: 1.0.0/share; chmod 4755 1.0.0/bin/demod`);
    const { status, report, said } = await verified();
    expect(status).toBe(5);
    const told = report.versions.map(({ files }) => (files?.state === 'damaged' ? files.differences : []));
    expect(told.map((all) => all.map(({ path, what }) => `${path} ${what}`))).toEqual([
      ['bin/demod size', 'notes new', 'share/version gone'],
      ['bin/demod mode', 'share owner'],
    ]);
    expect(said).toContain('2.0.0 runs, so it cannot be replaced');
    const pid = await mainPid();
    const drill = await lab.updater('drill', 'demo', '--yes');
    expect([drill.status, await mainPid()]).toEqual([5, pid]);
    expect((await lab.updater('versions', '--restage', '2.0.0')).stderr).toContain('2.0.0 is what demo runs');
    await lab.publish('3.0.0');
    expect((await lab.updater('upgrade')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('3.0.0'));
  });

  it('is staged anew when it is to be upgraded to, instead of being taken for staged [F121]', async () => {
    await upgraded();
    expect((await lab.updater('rollback')).status).toBe(0);
    await lab.host.sh('echo "exit 1" >/opt/demo/versions/2.0.0/bin/demod');
    const { status, stderr } = await lab.updater('upgrade', '--to', '2.0.0', '--force', 'quarantine');
    expect(status, stderr).toBe(0);
    expect(await lab.facts()).toEqual(runs('2.0.0'));
    expect((await verified()).status).toBe(0);
  });
});

describe('a version that an older program has staged', () => {
  it('cannot be verified, is not called damaged, is gone back to, and has a listing once it was staged anew', async () => {
    await upgraded();
    await lab.host.sh('rm /opt/demo/versions/.*.files');
    const { status, said } = await verified();
    expect([status, said]).toEqual([0, expect.stringMatching(/1\.0\.0 .*cannot be verified/)]);
    expect((await lab.updater('versions', '--restage', '1.0.0')).status).toBe(0);
    expect((await verified()).report.versions.map(({ files }) => files?.state)).toEqual(['unverifiable', 'holds']);
    await lab.host.sh('rm /opt/demo/versions/.1.0.0.files');
    expect((await lab.updater('rollback')).status).toBe(0);
    expect(await lab.facts()).toEqual(runs('1.0.0'));
  });
});
