import { describe, expect, it } from 'vitest';
import { askUnits, parseShow } from '../../../src/cli/units.ts';
import { UpdaterError } from '../../../src/errors.ts';
import { NODE } from './ledger.ts';

const SHOWN = `NextElapseUSecRealtime=Sat 2026-11-21 01:03:00 UTC
Id=node-updater.timer
LoadState=loaded
ActiveState=active
SubState=waiting

ExecMainStatus=78
StatusText=Soaking workerd: a=b
Id=node-updater@workerd.service
LoadState=loaded
ActiveState=activating
SubState=start
TriggeredBy=a.socket b.timer
`;

describe('parseShow', () => {
  it('reads one block for each unit, in whatever order its lines come', () => {
    const units = parseShow(SHOWN);
    expect(units.get('node-updater.timer')).toEqual({
      load: 'loaded',
      active: 'active',
      sub: 'waiting',
      status: '',
      triggeredBy: [],
      next: Date.parse('2026-11-21T01:03:00Z'),
    });
    expect(units.get('node-updater@workerd.service')).toMatchObject({
      exitStatus: 78,
      status: 'Soaking workerd: a=b',
      triggeredBy: ['a.socket', 'b.timer'],
    });
  });
});

describe('askUnits', () => {
  const result = { signal: undefined, timedOut: false, stdout: Buffer.alloc(0), stderr: Buffer.from('no bus\n') };

  it('says what systemctl said when there is no systemd to ask', async () => {
    expect(await askUnits([NODE], () => Promise.resolve({ ...result, status: 1 }))).toEqual({
      known: false,
      why: 'no bus',
    });
  });

  it('says that there is no systemctl', async () => {
    const missing = new UpdaterError('HOST_TOOL', 'systemctl was not found', { remedy: '' });
    expect(await askUnits([NODE], () => Promise.reject(missing))).toEqual({ known: false, why: missing.message });
  });
});
