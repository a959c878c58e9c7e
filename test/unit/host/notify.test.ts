import { describe, expect, it } from 'vitest';
import { makeNotify } from '../../../src/host/notify.ts';
import type { LogFields, Run } from '../../../src/host/ports.ts';
import { run } from '../../../src/host/run.ts';

const SOCKET = { NOTIFY_SOCKET: '/run/systemd/notify' };

function noting(commands: (readonly string[])[]): Run {
  return (command) => {
    commands.push(command);
    return run(['true']);
  };
}

function listener() {
  const warnings: (readonly [string, LogFields | undefined])[] = [];
  return { warnings, warn: (message: string, fields?: LogFields) => warnings.push([message, fields]) };
}

describe('what systemd is told of our progress', () => {
  it('asks for time in microseconds, and states what is going on', async () => {
    const commands: (readonly string[])[] = [];
    const notify = makeNotify(SOCKET, noting(commands), listener());
    await notify.heartbeat(120_000);
    await notify.status('soaking 1.2.3');
    expect(commands).toEqual([
      ['systemd-notify', 'EXTEND_TIMEOUT_USEC=120000000'],
      ['systemd-notify', 'STATUS=soaking 1.2.3'],
    ]);
  });

  it('cannot be made another message by a line break in the status', async () => {
    const commands: (readonly string[])[] = [];
    await makeNotify(SOCKET, noting(commands), listener()).status('fetching\nMAINPID=1');
    expect(commands).toEqual([['systemd-notify', 'STATUS=fetching\\nMAINPID=1']]);
  });

  it('is nothing where systemd does not listen', async () => {
    const commands: (readonly string[])[] = [];
    for (const environment of [{}, { NOTIFY_SOCKET: '' }]) {
      await makeNotify(environment, noting(commands), listener()).heartbeat(1);
    }
    expect(commands).toEqual([]);
  });

  it('is a warning, not an end, when it cannot be sent', async () => {
    const log = listener();
    await makeNotify(SOCKET, () => run(['sh', '-c', 'echo gone >&2; exit 1']), log).heartbeat(1);
    await makeNotify(SOCKET, () => run(['/nonexistent/systemd-notify']), log).heartbeat(1);
    expect(log.warnings).toHaveLength(2);
    expect(log.warnings[0]).toEqual(['systemd could not be told of our progress', { cause: 'gone' }]);
  });
});
