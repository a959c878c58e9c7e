import { describe, expect, it } from 'vitest';
import type { BackupRecord } from '../../../src/backup/record.ts';
import { FILL, look, makeDisk, type FileSystem } from './disk.ts';

const METHODS: readonly { readonly type: FileSystem; readonly data: string; readonly method: string }[] = [
  { type: 'ext4', data: 'mkdir $D/data', method: 'copy' },
  { type: 'xfs', data: 'mkdir $D/data', method: 'reflink' },
  { type: 'btrfs', data: 'mkdir $D/data', method: 'reflink' },
  { type: 'btrfs', data: 'btrfs -q subvolume create $D/data', method: 'snapshot' },
];

describe('a backup', () => {
  it.each(METHODS)(
    'by $method on $type keeps owners, modes, times, ACLs, attributes, holes and hard links, and no socket or FIFO [F100]',
    async ({ type, data, method }) => {
      await using disk = await makeDisk(type);
      if (disk === undefined) return;
      await disk.sh(`${data}; ${FILL}`);
      const answer = await disk.work({ kind: 'create' });
      expect(answer?.message).toBeUndefined();
      const record = answer?.value as BackupRecord;
      expect(record.paths[0]).toMatchObject({ method, kind: 'directory', excluded: 0 });
      expect(await disk.sh(look(`$D/backups/${record.id}/0`))).toBe(await disk.sh(look('$D/data')));
      if (method !== 'snapshot') {
        expect(record.paths[0]?.special).toBe(2);
        expect(await disk.sh(`find $D/backups/${record.id}/0 -type s -o -type p`)).toBe('');
      }
      expect((await disk.work({ kind: 'seal', backup: record.id }))?.message).toBeUndefined();
      expect((await disk.work({ kind: 'verify', backup: record.id }))?.message).toBeUndefined();
    },
  );

  it('leaves out what is excluded and what is mounted below, unless that is listed itself', async () => {
    await using disk = await makeDisk('ext4');
    if (disk === undefined) return;
    await disk.sh(`mkdir -p $D/data; ${FILL}; mkdir -p $D/data/sub/other; truncate -s 32M $D/inner
mkfs.ext4 -q -F $D/inner; mount -o loop $D/inner $D/data/sub/other; echo inside >$D/data/sub/other/file`);
    const exclude = ['cache', '**/fi*', '*.log'];
    const answer = await disk.work({ kind: 'create' }, { exclude });
    const { id, paths } = answer?.value as BackupRecord;
    expect(paths[0]).toMatchObject({ boundary: 1, excluded: 2, special: 1, method: 'copy' });
    expect(await disk.sh(`cd $D/backups/${id}/0; ls -d cache sub/other sub/fifo 2>/dev/null || true`)).toBe('');
    const both = [`${disk.root}/data`, `${disk.root}/data/sub/other`];
    const second = (await disk.work({ kind: 'create' }, { paths: both }))?.value as BackupRecord;
    expect(second.paths[1]).toMatchObject({ mount: 'here' });
    expect(await disk.sh(`cat $D/backups/${second.id}/1/file`)).toBe('inside');
    await disk.sh('umount $D/data/sub/other');
    expect(await disk.work({ kind: 'estimate' }, { paths: both })).toMatchObject({
      code: 'BACKUP_REFUSED',
      message: `nothing is mounted at ${both[1] ?? ''}, but there was at the last backup`,
    });
  });

  it('takes a single file', async () => {
    await using disk = await makeDisk('xfs');
    if (disk === undefined) return;
    await disk.sh('echo ledger >$D/data; chown 7:8 $D/data; setfattr -n user.a -v b $D/data');
    const { id, paths } = (await disk.work({ kind: 'create' }))?.value as BackupRecord;
    expect(paths[0]).toMatchObject({ kind: 'file', method: 'reflink', entries: 1 });
    expect(await disk.sh(`cat $D/backups/${id}/0; stat -c %u:%g $D/backups/${id}/0`)).toBe('ledger\n7:8');
  });

  it('is refused and leaves nothing when somebody writes meanwhile [F101]', async () => {
    await using disk = await makeDisk('ext4');
    if (disk === undefined) return;
    await disk.sh(`mkdir $D/data; ${FILL}`);
    const writer = disk.sh(`until [ -e $D/stop ]; do echo line >>$D/data/sub/small; sleep 0.01; done`);
    const answer = await disk.work({ kind: 'create' });
    await disk.sh('touch $D/stop');
    await writer;
    expect(answer).toMatchObject({
      code: 'BACKUP_CHANGED',
      message: expect.stringContaining('sub/deep/third has another size') as string,
    });
    expect(await disk.sh('ls -A $D/backups')).toBe('');
  });

  it('says before the stop what it needs and what is free, on both file systems [F057][F099][S1.24]', async () => {
    await using disk = await makeDisk('ext4', 64);
    if (disk === undefined) return;
    await disk.sh(`mkdir $D/data; truncate -s 24M $D/inner; mkfs.ext4 -q -F $D/inner; mkdir $D/backups
mount -o loop $D/inner $D/backups; head -c 22M /dev/urandom >$D/data/db; sync`);
    expect(await disk.work({ kind: 'estimate' })).toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringMatching(
        /the backup of \S+data need 26M and \d+ inodes .*backups, where \d+M .* are free; a restore of \S+data need 26M .*free/,
      ) as string,
    });
    await disk.sh('truncate -s 2M $D/data/db');
    expect((await disk.work({ kind: 'estimate' }))?.value).toMatchObject({ entries: 2, bytes: 2 * 1024 ** 2 });
  });

  it('is refused where links hide that one path is in two names, or that the backups lie within the data', async () => {
    await using disk = await makeDisk('ext4', 64);
    if (disk === undefined) return;
    await disk.sh('mkdir -p $D/a/data/inner; ln -s a $D/b; ln -s a/data/inner $D/place');
    const data = `${disk.root}/a/data`;
    expect(await disk.work({ kind: 'create' }, { paths: [data, `${disk.root}/b/data`] })).toMatchObject({
      code: 'BACKUP_REFUSED',
    });
    expect(await disk.work({ kind: 'create' }, { paths: [data], directory: `${disk.root}/place` })).toMatchObject({
      code: 'BACKUP_REFUSED',
    });
    expect(await disk.sh('ls -A $D/a/data/inner')).toBe('');
  });

  it('counts inodes as well as bytes [F060]', async () => {
    await using disk = await makeDisk('ext4', 64, '-N 200');
    if (disk === undefined) return;
    await disk.sh('mkdir $D/data; cd $D/data; for n in $(seq 80); do echo $n >$n; done');
    expect(await disk.work({ kind: 'create' })).toMatchObject({ code: 'DISK_FULL' });
    expect(await disk.sh('ls -A $D/backups')).toBe('');
  });

  it('refuses a method that the file system has not, and a path that is a link or missing', async () => {
    await using disk = await makeDisk('ext4', 64);
    if (disk === undefined) return;
    await disk.sh('mkdir $D/real; echo x >$D/real/file; ln -s real $D/data');
    const paths = [`${disk.root}/real`];
    expect(await disk.work({ kind: 'estimate' }, { paths, method: 'reflink' })).toMatchObject({
      code: 'BACKUP_REFUSED',
    });
    expect(await disk.work({ kind: 'estimate' })).toMatchObject({ code: 'BACKUP_REFUSED' });
    expect(await disk.work({ kind: 'estimate' }, { paths: [`${disk.root}/none`] })).toMatchObject({
      message: expect.stringContaining('is not there') as string,
    });
    expect((await disk.work({ kind: 'estimate' }, { paths }))?.value).toMatchObject({ entries: 2 });
  });

  it('is complete under its name, or has none: also when a write fails or we are killed [F058]', async () => {
    await using disk = await makeDisk('ext4');
    if (disk === undefined) return;
    await disk.sh(`mkdir $D/data; ${FILL}`);
    const strace = ['strace', '-f', '-qq', '-o', '/dev/null', '-e'];
    const faults = [
      ...[1, 2].map((n) => `inject=rename:signal=SIGKILL:when=${n}`),
      ...[1, 2, 3].map((n) => `inject=fsync:error=EIO:when=${n}`),
      'inject=syncfs:error=ENOSPC',
      'inject=utimensat:error=ENOSPC:when=3',
    ];
    let killed = 0;
    let failed = 0;
    for (const fault of faults) {
      const answer = await disk.work({ kind: 'create' }, {}, [...strace, fault]);
      const names = (await disk.sh('ls $D/backups')).split('\n').filter((name) => name !== '');
      expect(answer?.value === undefined ? names : [], fault).toEqual([]);
      if (answer === undefined) killed++;
      if (answer?.code !== undefined) failed++;
      expect(answer?.code ?? 'DISK_', fault).toMatch(/^DISK_/);
      for (const backup of names) expect((await disk.work({ kind: 'verify', backup }))?.message, fault).toBeUndefined();
      await disk.sh('rm -rf $D/backups/2*');
    }
    expect([killed, failed]).toEqual([2, 5]);
    await disk.work({ kind: 'create' });
    expect(await disk.sh('ls -A $D/backups | grep -c .')).toBe('1');
  });
});

describe('pruning', () => {
  it('takes for the newest what was made last, also after a backup with the clock ten years ahead', async () => {
    await using disk = await makeDisk('ext4');
    if (disk === undefined) return;
    await disk.sh('mkdir $D/data; echo x >$D/data/file');
    const { id } = (await disk.work({ kind: 'create' }))?.value as BackupRecord;
    const ahead = id.replace(/^..../, '2099');
    await disk.sh(`cd $D/backups; mv ${id} ${ahead}; sed -i s/${id}/${ahead}/ ${ahead}/backup.json`);
    const last = (await disk.work({ kind: 'create' }))?.value as BackupRecord;
    expect((await disk.work({ kind: 'prune', needed: [] }, { keep: 1 }))?.value).toMatchObject({ removed: [ahead] });
    expect(await disk.sh('ls -A $D/backups')).toBe(last.id);
  });

  it('of what is half made takes our own alone: the directory may hold what others hide there', async () => {
    await using disk = await makeDisk('ext4');
    if (disk === undefined) return;
    await disk.sh(`mkdir $D/data; echo x >$D/data/file
mkdir -p $D/backups/.rsync.partial $D/backups/.20260101T000000000Z-0123abcd.partial; touch $D/backups/.film.removed`);
    const { id } = (await disk.work({ kind: 'create' }))?.value as BackupRecord;
    expect((await disk.sh('ls -A $D/backups')).split('\n').sort()).toEqual(['.film.removed', '.rsync.partial', id]);
  });

  it('keeps the newest and what is needed, and removes snapshots without a right over the host', async () => {
    await using disk = await makeDisk('btrfs');
    if (disk === undefined) return;
    await disk.sh('btrfs -q subvolume create $D/data; echo x >$D/data/file');
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) ids.push(((await disk.work({ kind: 'create' }))?.value as BackupRecord).id);
    const [needed = ''] = ids;
    const rights = '-all,+chown,+dac_override,+fowner,+fsetid';
    const prefix = ['setpriv', '--no-new-privs', '--inh-caps=-all', `--bounding-set=${rights}`];
    const answer = await disk.work({ kind: 'prune', needed: [needed] }, { keep: 1 }, prefix);
    expect(answer?.value).toMatchObject({ warnings: [] });
    const left = (await disk.sh('ls -A $D/backups')).split('\n');
    expect(left).toHaveLength(2);
    expect(left).toContain(needed);
  });
});
