import { describe, expect, it } from 'vitest';
import { fetchFailure } from '../../../src/source/fetch-failure.ts';

const failed = (code: string, more: { readonly retryAfter?: number } = {}) =>
  fetchFailure({ name: 'manifest.json', outcome: 'failed', code, message: 'It went wrong.', ...more });

describe('what is said of a file that could not be fetched', () => {
  it.each([
    { code: 'SOURCE_TLS', says: /timedatectl.*fetch\.ca_file/ },
    { code: 'SOURCE_SLOW', says: /fetch\.minimum_speed/ },
    { code: 'SOURCE_REDIRECT', says: /source\.url/ },
    { code: 'DISK_FULL', says: /df -h \/var\/cache\/node-updater/ },
  ])('names what can be done about $code, and when it is tried again', ({ code, says }) => {
    expect(failed(code)).toMatchObject({ code });
    expect(failed(code).remedy).toMatch(says);
    expect(failed(code).remedy).toMatch(/node-updater check$/);
  });

  it('does not ask a server again before the time that it named', () => {
    expect(failed('SOURCE_HTTP_STATUS', { retryAfter: 600_000 }).remedy).toContain('the first run after 10 min');
  });

  it('takes no code of the fetch room that speaks of anything but the network and the disk', () => {
    expect(failed('POLICY_WITHDRAWN').code).toBe('SOURCE_PROTOCOL');
    expect(failed('NO_SUCH_CODE').code).toBe('SOURCE_PROTOCOL');
  });

  it('leaves the stop at the end to whoever goes on after it', () => {
    expect(failed('SOURCE_TLS').message).toBe('It went wrong');
  });
});
