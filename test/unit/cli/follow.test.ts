import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { endOf, follow, type FollowDeps } from '../../../src/cli/follow.ts';
import { makeNarrator } from '../../../src/cli/record-text.ts';
import { shortened } from '../../../src/machine/forget.ts';
import { openLedger } from '../../../src/machine/ledger.ts';
import type { Entry } from '../../../src/machine/record.ts';
import {
  committed,
  recordsOf,
  rolledBack,
  testHost,
  tickingClock,
  upgrade,
  writeLedger,
  type TestHost,
} from './ledger.ts';
import { text } from './story.ts';

const REQUEST = 'request-1';

/** A clock whose wait ends only with its signal: the ledger alone wakes the follower. */
const asleep: FollowDeps['clock'] = {
  wait: (_ms, signal) =>
    new Promise((_resolve, reject) => {
      const stop = (): void => {
        reject(new Error('stopped'));
      };
      if (signal?.aborted === true) stop();
      signal?.addEventListener('abort', stop);
    }),
};

/** A clock whose wait is over at once: every turn is a slow look. */
const hasty: FollowDeps['clock'] = { wait: () => new Promise((resolve) => setImmediate(resolve)) };

function deps(changes: Partial<FollowDeps>): FollowDeps {
  return {
    clock: asleep,
    alive: () => Promise.resolve(true),
    again: () => Promise.resolve(false),
    onRecord: () => undefined,
    signal: new AbortController().signal,
    ...changes,
  };
}

/** Appends the next entry whenever the follower has seen the last one. */
async function followWhile(host: TestHost, entries: readonly Entry[], changes: Partial<FollowDeps> = {}) {
  const ledger = await openLedger(host.place.ledger, host.files, tickingClock());
  const waiting = [...entries];
  // A line is there to be read before its append has returned; the next one must wait for that.
  let writing: Promise<unknown> = Promise.resolve();
  const more = (): void => {
    const entry = waiting.shift();
    if (entry !== undefined) writing = writing.then(() => ledger.append(entry));
  };
  const seen: string[] = [];
  const narrator = makeNarrator([]);
  const following = follow(
    { ledger: host.place.ledger, request: REQUEST, after: ledger.records.length },
    deps({
      onRecord: (record) => {
        seen.push(...narrator.lines(record).map((line) => (typeof line === 'string' ? line : line.text)));
        more();
      },
      ...changes,
    }),
  );
  more();
  const followed = await following;
  await writing;
  return { followed, seen };
}

describe('follow', () => {
  it('goes on where the ledger has forgotten what was before', async () => {
    const host = await testHost();
    const { ledger: path } = host.place;
    const answer = (request: string): Entry => ({ kind: 'answer', request, exit: 0, message: '' });
    await writeLedger(
      path,
      host.files,
      Array.from({ length: 30 }, () => answer('another')),
    );
    await writeFile(path, shortened(await readFile(path), path, 3));
    await (await openLedger(path, host.files, tickingClock())).append(answer(REQUEST));
    const seen: number[] = [];
    const onRecord: FollowDeps['onRecord'] = ({ n }) => void seen.push(n);
    const end = await follow({ ledger: path, request: REQUEST, after: 30 }, deps({ onRecord }));
    expect(end).toMatchObject({ kind: 'answered', exit: 0 });
    expect(seen).toEqual([31]);
  });

  it('sees each record of a transaction as it is written, and ends with it', async () => {
    const host = await testHost();
    const { followed, seen } = await followWhile(host, committed(upgrade('t1', '1.0.0', '2.0.0', REQUEST)));
    expect(followed).toMatchObject({ kind: 'ended', outcome: 'committed', exit: 0 });
    expect(seen).toEqual([
      'upgrade: 1.0.0 → 2.0.0',
      '  arming the fallback to 1.0.0 …',
      '  activating 2.0.0 …',
      '  restarting into 2.0.0 …',
      '  soaking 2.0.0 …',
      '2.0.0 is committed (before: 1.0.0).',
    ]);
  });

  it('follows an upgrade over the end of its process until the version before is proven healthy, and gives exit 3 [S1.25]', async () => {
    const host = await testHost();
    const { followed, seen } = await followWhile(host, rolledBack(upgrade('t1', '1.0.0', '2.0.0', REQUEST)));
    expect(followed).toMatchObject({ kind: 'ended', outcome: 'rolled-back', exit: 3, quarantine: { cause: 'gate' } });
    expect(seen).toContain('  systemd puts 1.0.0 back …');
    expect(seen).toContain('  proving that 1.0.0 is healthy …');
  });

  it('ends with the answer to its own request, not with that to another', async () => {
    const host = await testHost();
    const { followed } = await followWhile(host, [
      { kind: 'answer', request: 'another', exit: 1, message: 'not for us' },
      { kind: 'answer', request: REQUEST, exit: 100, message: '2.0.0 is offered' },
    ]);
    expect(followed).toEqual({ kind: 'answered', exit: 100, message: '2.0.0 is offered' });
  });

  it('does not take an old answer for a new one', async () => {
    const host = await testHost();
    await writeLedger(host.place.ledger, host.files, [{ kind: 'answer', request: REQUEST, exit: 1, message: 'old' }]);
    const { followed } = await followWhile(host, [{ kind: 'answer', request: REQUEST, exit: 0, message: 'new' }]);
    expect(followed).toMatchObject({ message: 'new' });
  });

  it('looks for itself where other programs have all of inotify', async () => {
    const host = await testHost();
    const { ledger } = host.place;
    await writeLedger(ledger, host.files, [{ kind: 'answer', request: REQUEST, exit: 0, message: 'seen' }]);
    const script = `
      import { follow } from ${JSON.stringify(join(import.meta.dirname, '../../../src/cli/follow.ts'))};
      const what = ${JSON.stringify({ ledger, request: REQUEST, after: 0 })};
      const { signal } = new AbortController();
      console.log((await follow(what, { signal, onRecord: () => undefined })).message);`;
    const exhausted = ['-r', 'sh', '-c', 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"', 'sh'];
    const child = [process.execPath, '--input-type=module', '-e', script];
    const { stdout } = await promisify(execFile)('unshare', [...exhausted, ...child]);
    expect(stdout).toBe('seen\n');
  });

  it('ends on Ctrl-C without touching the ledger [F118]', async () => {
    const host = await testHost();
    const records = await writeLedger(
      host.place.ledger,
      host.files,
      committed(upgrade('t1', '1', '2', REQUEST)).slice(0, 3),
    );
    const interrupt = new AbortController();
    const following = follow(
      { ledger: host.place.ledger, request: REQUEST, after: 0 },
      deps({
        signal: interrupt.signal,
        onRecord: ({ n }) => {
          if (n === records.length) interrupt.abort();
        },
      }),
    );
    expect(await following).toEqual({ kind: 'interrupted' });
    const { readLedger } = await import('../../../src/machine/ledger.ts');
    expect((await readLedger(host.place.ledger)).records).toEqual(records);
  });

  it('says that nobody answers once both units have rested for two looks, and not before', async () => {
    const host = await testHost();
    const looks = [true, false, true, false, false];
    let asked = 0;
    const followed = await follow(
      { ledger: host.place.ledger, request: REQUEST, after: 0 },
      deps({ clock: hasty, alive: () => Promise.resolve(looks[asked++] ?? false) }),
    );
    expect(followed).toEqual({ kind: 'silent' });
    expect(asked).toBe(looks.length);
  });

  it('hands a request over again that a run which was just ending has not taken [F109]', async () => {
    const host = await testHost();
    const ledger = await openLedger(host.place.ledger, host.files, tickingClock());
    let handed = 0;
    const followed = await follow(
      { ledger: host.place.ledger, request: REQUEST, after: 0 },
      deps({
        clock: hasty,
        alive: () => Promise.resolve(false),
        again: async () => {
          handed++;
          await ledger.append({ kind: 'answer', request: REQUEST, exit: 0, message: 'done' });
          return true;
        },
      }),
    );
    expect(followed).toMatchObject({ kind: 'answered', exit: 0 });
    expect(handed).toBe(1);
  });
});

describe('makeNarrator', () => {
  const said = (before: readonly Entry[], after: readonly Entry[]): string => {
    const narrator = makeNarrator(recordsOf(before));
    return text(recordsOf(after).flatMap((record) => narrator.lines(record)));
  };

  it('knows the transaction that was open before it was asked', () => {
    const [opened, ...rest] = rolledBack(upgrade('t', '1.0.0', '2.0.0')) as [Entry, ...Entry[]];
    expect(said([opened], rest)).toContain('  settling what was left of 2.0.0 …\n  proving that 1.0.0 is healthy …');
  });

  it('does not say of a first installation that a fallback is armed', () => {
    const transaction = upgrade('t', undefined, '1.0.0');
    const lines = said(
      [],
      [
        { kind: 'opened', transaction },
        { kind: 'intent', tx: 't', state: 'arm' },
      ],
    );
    expect(lines).toBe('install: nothing → 1.0.0');
  });
});

describe('endOf', () => {
  it('knows a transaction by the request that asked for it', () => {
    const records = recordsOf([
      ...committed(upgrade('other', '1', '2', 'another')),
      ...rolledBack(upgrade('mine', '2', '3', REQUEST)),
    ]);
    expect(endOf(records, REQUEST)).toMatchObject({ kind: 'ended', outcome: 'rolled-back' });
    expect(endOf(records, 'nobody')).toBeUndefined();
  });
});
