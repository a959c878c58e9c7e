import { describe, expect, it } from 'vitest';
import type { BackupRecord } from '../../../src/backup/record.ts';
import type { BackupSettings } from '../../../src/settings.ts';
import { FILL, look, makeDisk, type Answer, type Disk, type FileSystem } from './disk.ts';

/** What a new version might do to its data. */
const MIGRATE = `cd $D/data; echo migrated >sub/small; rm -r empty big; mkdir new; echo new >new/file; chmod 0700 sub
mv holes held; touch .`;

async function backUp(disk: Disk, settings: Partial<BackupSettings> = {}): Promise<string> {
  const answer = await disk.work({ kind: 'create' }, settings);
  expect(answer?.message).toBeUndefined();
  const { id } = answer?.value as BackupRecord;
  expect((await disk.work({ kind: 'seal', backup: id }, settings))?.message).toBeUndefined();
  return id;
}

async function succeeds(answer: Promise<Answer | undefined>): Promise<void> {
  expect((await answer)?.message).toBeUndefined();
}

const PLACES: readonly {
  readonly name: string;
  readonly type: FileSystem;
  readonly make: string;
  readonly but: string;
}[] = [
  { name: 'a directory on ext4', type: 'ext4', make: 'mkdir $D/data', but: '' },
  { name: 'a directory on xfs', type: 'xfs', make: 'mkdir $D/data', but: '' },
  { name: 'a btrfs subvolume', type: 'btrfs', make: 'btrfs -q subvolume create $D/data', but: '! -path .' },
  {
    name: 'a mount point',
    type: 'ext4',
    make: 'mkdir $D/data; truncate -s 64M $D/inner; mkfs.ext4 -q -F $D/inner; mount -o loop $D/inner $D/data; rmdir $D/data/lost+found',
    // Its own time tells of the last name in it that went.
    but: '! -path .',
  },
];

describe('a restore', () => {
  it.each(PLACES)('puts $name back as it was, and keeps what was there until that is dropped [F097]', async (place) => {
    await using disk = await makeDisk(place.type);
    if (disk === undefined) return;
    await disk.sh(`${place.make}; ${FILL}; rm sub/fifo sub/sock; touch -d 2011-01-01 sub`);
    const id = await backUp(disk);
    const original = await disk.sh(look('$D/data', place.but));
    await disk.sh(MIGRATE);
    const answer = await disk.work({ kind: 'restore', backup: id, restore: 'r1' });
    expect(answer?.message).toBeUndefined();
    const { before } = answer?.value as { before: string[] };
    expect(await disk.sh(look('$D/data', `${place.but} ! -path ./.node-updater-\\*`))).toBe(original);
    expect(await disk.sh(`cat ${before[0] ?? ''}/sub/small`)).toBe('migrated');
    await succeeds(disk.work({ kind: 'restore', backup: id, restore: 'r1' }));
    await succeeds(disk.work({ kind: 'drop', restore: 'r1' }));
    await succeeds(disk.work({ kind: 'drop', restore: 'r1' }));
    expect(await disk.sh(look('$D/data', place.but))).toBe(original);
    expect(await disk.sh('ls -A $D $D/state/restores | grep -e before -e restore- || true')).toBe('');
  });

  it.each(PLACES)(
    'of $name that is killed between its renames is finished by the next call [F102]',
    { timeout: 120_000 },
    async (place) => {
      await using disk = await makeDisk(place.type);
      if (disk === undefined) return;
      await disk.sh(
        `${place.make}; mkdir $D/data/sub $D/data/cache; echo old | tee $D/data/sub/a $D/data/b >$D/data/cache/c`,
      );
      const settings = { exclude: ['cache/**'] };
      const id = await backUp(disk, settings);
      let killed = 0;
      for (let n = 1; ; n++) {
        await disk.sh('cd $D/data; echo new | tee sub/a b c >cache/c; rm -rf sub/gone; sync -f .');
        const strace = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `inject=rename:signal=SIGKILL:when=${n}`];
        const order = { kind: 'restore', backup: id, restore: `r${n}` } as const;
        const answer = await disk.work(order, settings, strace);
        if (answer === undefined) {
          killed++;
          await succeeds(disk.work(n % 2 === 0 ? { kind: 'finish' } : order, settings));
          await succeeds(disk.work(order, settings));
        } else expect(answer.message).toBeUndefined();
        const shown = 'cd $D/data; find . -not -path "./.node*" -type f -printf "%p " -exec cat {} \\; | sort';
        expect(await disk.sh(shown), `killed at rename ${n}`).toBe('./b old\n./cache/c new\n./sub/a old');
        await succeeds(disk.work({ kind: 'drop', restore: `r${n}` }, settings));
        if (answer !== undefined) break;
      }
      expect(killed).toBeGreaterThan(4);
      expect(await disk.sh('find $D -name "*restore-*" -o -name "*before-*"')).toBe('');
    },
  );

  it('of a damaged backup is refused, and the data stays as it is [F103]', { timeout: 120_000 }, async () => {
    await using disk = await makeDisk('ext4');
    if (disk === undefined) return;
    await disk.sh(`mkdir $D/data; ${FILL}`);
    const id = await backUp(disk);
    await disk.sh(MIGRATE);
    const present = await disk.sh(look('$D/data'));
    const damages = {
      content: `touch -r big $D/ref; printf X | dd of=big bs=1 seek=1000 conv=notrunc; touch -r $D/ref big`,
      'one file gone': `rm big`,
      'one file more': `touch more`,
      'another mode': `chmod 777 big`,
      'the listing': `echo >>../0.listing`,
      'the digests': `echo >>../0.digests`,
      'the record': `truncate -s 100 ../backup.json`,
    };
    await disk.sh('cp -a $D/backups $D/whole');
    for (const [what, damage] of Object.entries(damages)) {
      await disk.sh(`cd $D/backups/${id}/0; ${damage}`);
      expect((await disk.work({ kind: 'verify', backup: id }))?.code, what).toBe('BACKUP_DAMAGED');
      expect((await disk.work({ kind: 'restore', backup: id, restore: 'r1' }))?.code, what).toBe('BACKUP_DAMAGED');
      expect(await disk.sh(look('$D/data')), what).toBe(present);
      expect(await disk.sh('find $D -name "*restore-*" -o -name "*before-*"'), what).toBe('');
      await disk.sh('rm -r $D/backups; cp -a $D/whole $D/backups');
    }
    await succeeds(disk.work({ kind: 'restore', backup: id, restore: 'r1' }));
  });

  it('never puts signing state back: the present one is kept, and without one nothing is restored', async () => {
    await using disk = await makeDisk('xfs');
    if (disk === undefined) return;
    await disk.sh(`mkdir -p $D/data/data $D/data/keys; cd $D/data; echo height-1 >data/priv_validator_state.json
echo db-1 >data/db; echo own-1 >keys/own.state; chown -R 11:12 .; chmod 600 data/*`);
    const settings = { neverRestore: ['**/*.state'] };
    const id = await backUp(disk, settings);
    await disk.sh(
      'cd $D/data; echo height-2 >data/priv_validator_state.json; echo db-2 >data/db; echo own-2 >keys/own.state',
    );
    await succeeds(disk.work({ kind: 'restore', backup: id, restore: 'r1' }, settings));
    const shown = 'cd $D/data; cat data/priv_validator_state.json data/db keys/own.state; stat -c %a:%u:%g data/priv*';
    expect(await disk.sh(shown)).toBe('height-2\ndb-1\nown-2\n600:11:12');
    await disk.sh('echo db-3 >$D/data/data/db; mv $D/data/data/priv_validator_state.json $D');
    expect((await disk.work({ kind: 'verify', backup: id }, settings))?.code).toBe('BACKUP_SIGNING');
    expect((await disk.work({ kind: 'restore', backup: id, restore: 'r2' }, settings))?.code).toBe('BACKUP_SIGNING');
    expect(await disk.sh('cat $D/data/data/db; ls $D/data/data')).toBe('db-3\ndb');
  });

  it('leaves in its place what is mounted below, and restores around it', async () => {
    await using disk = await makeDisk('ext4');
    if (disk === undefined) return;
    await disk.sh(`mkdir -p $D/data; ${FILL}; rm sub/sock sub/fifo; mkdir -p $D/data/sub/deep/other; truncate -s 32M $D/inner
mkfs.ext4 -q -F $D/inner; mount -o loop $D/inner $D/data/sub/deep/other; echo inside >$D/data/sub/deep/other/file
touch -d 2012-01-01 sub sub/deep`);
    const id = await backUp(disk);
    const tree = look('$D/data', '! -path . ! -path ./.node-updater-\\* ! -path ./sub/deep/other\\*');
    const original = await disk.sh(tree);
    await disk.sh(`${MIGRATE}; echo more >$D/data/sub/deep/other/file; echo x >$D/data/sub/deep/new`);
    await succeeds(disk.work({ kind: 'restore', backup: id, restore: 'r1' }));
    expect(await disk.sh(tree)).toBe(original);
    expect(await disk.sh('cat $D/data/sub/deep/other/file; mountpoint -q $D/data/sub/deep/other')).toBe('more');
  });

  it('is refused while what was mounted at the path is not, and puts nothing below the mount point', async () => {
    await using disk = await makeDisk('ext4');
    if (disk === undefined) return;
    await disk.sh('mkdir $D/data; mount -t tmpfs tmpfs $D/data; echo one >$D/data/file');
    const id = await backUp(disk);
    await disk.sh('umount $D/data');
    const restore = { kind: 'restore', backup: id, restore: 'r1' } as const;
    expect(await disk.work({ kind: 'verify', backup: id })).toMatchObject({ code: 'HOST_MOUNT' });
    expect(await disk.work(restore)).toMatchObject({ code: 'HOST_MOUNT' });
    expect(await disk.sh('ls -A $D/data; ls -A $D | grep -e before -e restore- || true')).toBe('');
    await disk.sh('mount --bind $D/data $D/data');
    await succeeds(disk.work(restore));
    expect(await disk.sh('cat $D/data/file')).toBe('one');
  });

  it('that died between its renames is not gone on with while what was mounted at the path is not [F102]', async () => {
    await using disk = await makeDisk('ext4');
    if (disk === undefined) return;
    const mount = 'mount -o loop $D/inner $D/data';
    await disk.sh(`mkdir $D/data; truncate -s 32M $D/inner; mkfs.ext4 -q -F $D/inner; ${mount}; rmdir $D/data/lost+found
echo one >$D/data/file`);
    const id = await backUp(disk);
    await disk.sh('rm $D/data/file; sync -f $D/data');
    const strace = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'inject=rename:signal=SIGKILL:when=2'];
    expect(await disk.work({ kind: 'restore', backup: id, restore: 'r1' }, {}, strace)).toBeUndefined();
    expect(await disk.sh('grep -o \'"state":"open"\' $D/state/restores/r1.json; umount $D/data')).toBe(
      '"state":"open"',
    );
    expect(await disk.work({ kind: 'finish' })).toMatchObject({ code: 'HOST_MOUNT' });
    expect(await disk.sh('ls -A $D/data')).toBe('');
    await disk.sh(mount);
    await succeeds(disk.work({ kind: 'finish' }));
    expect(await disk.sh('cat $D/data/file')).toBe('one');
  });

  it('of two paths puts back both, where the name of one ends as that of the other', async () => {
    await using disk = await makeDisk('ext4');
    if (disk === undefined) return;
    await disk.sh('mkdir $D/chain.data $D/data; echo one >$D/chain.data/file; echo two >$D/data/file');
    const settings = { paths: [`${disk.root}/chain.data`, `${disk.root}/data`] };
    const id = await backUp(disk, settings);
    await disk.sh('echo new | tee $D/chain.data/file >$D/data/file');
    await succeeds(disk.work({ kind: 'restore', backup: id, restore: 'r1' }, settings));
    expect(await disk.sh('cat $D/chain.data/file $D/data/file')).toBe('one\ntwo');
  });

  it('makes data that is gone altogether', async () => {
    await using disk = await makeDisk('ext4');
    if (disk === undefined) return;
    await disk.sh('mkdir $D/data; echo x >$D/data/file');
    const id = await backUp(disk);
    await disk.sh('rm -r $D/data');
    await succeeds(disk.work({ kind: 'restore', backup: id, restore: 'r1' }));
    expect(await disk.sh('cat $D/data/file')).toBe('x');
    expect((await disk.work({ kind: 'restore', backup: '20200101T000000Z-00000000', restore: 'r2' }))?.code).toBe(
      'BACKUP_UNKNOWN',
    );
  });
});
