import { describe, expect, it } from 'vitest';
import { makeHeartbeat } from '../../../src/host/heartbeat.ts';

function rig(timeout: number) {
  let now = 0n;
  const sent: string[] = [];
  const notify = {
    heartbeat: (ms: number) => Promise.resolve(void sent.push(`beat ${ms}`)),
    status: (text: string) => Promise.resolve(void sent.push(text)),
  };
  const heartbeat = makeHeartbeat(notify, timeout, { monotonic: () => now });
  return { heartbeat, sent, after: (ms: number) => (now += BigInt(ms) * 1000n) };
}

describe('the heartbeat', () => {
  it('asks for its whole time-out at the first beat', () => {
    const { heartbeat, sent } = rig(120_000);
    heartbeat.beat();
    expect(sent).toEqual(['beat 120000']);
  });

  it('sends four beats in the time that one buys, however often it is called', () => {
    const { heartbeat, sent, after } = rig(120_000);
    for (let second = 0; second < 120; second++) {
      heartbeat.beat();
      after(1000);
    }
    expect(sent.length).toBe(4);
  });

  it('beats while something is waited for, and stops beating with its end', async () => {
    const { heartbeat, sent } = rig(120_000);
    await expect(heartbeat.during(Promise.resolve('done'))).resolves.toBe('done');
    await expect(heartbeat.during(Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(sent).toEqual(['beat 120000']);
  });

  it('shows a status at most every two seconds', () => {
    const { heartbeat, sent, after } = rig(120_000);
    heartbeat.status('one');
    heartbeat.status('two');
    after(2000);
    heartbeat.status('three');
    expect(sent).toEqual(['beat 120000', 'one', 'three']);
  });
});
