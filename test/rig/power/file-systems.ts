export type FileSystem = 'ext4' | 'xfs' | 'btrfs';

interface Traits {
  /** Of the disk, in bytes: the smallest that mkfs takes, or what there is to write. */
  readonly size: number;
  /** Everything that mkfs would else leave for the mounted file system to do in the background is done at once. */
  readonly format: readonly string[];
  /** Discarded blocks would hold anything; the block log has no word for that. */
  readonly options: string;
  /**
   * What the file system takes for granted that a disk writes whole, in bytes: the sector that mkfs found, or what is larger, a
   * super block with a checksum that is written in place (ext4: 1024 bytes, "invalid superblock checksum" if torn; btrfs: 4096).
   */
  readonly atom: number;
}

const MB = 1024 * 1024;

export const FILE_SYSTEMS: Readonly<Record<FileSystem, Traits>> = {
  ext4: {
    size: 128 * MB,
    format: ['mkfs.ext4', '-q', '-b', '4096', '-E', 'lazy_itable_init=0,lazy_journal_init=0,nodiscard'],
    options: 'nodiscard',
    atom: 1024,
  },
  xfs: { size: 320 * MB, format: ['mkfs.xfs', '-q', '-K'], options: 'nodiscard', atom: 512 },
  btrfs: { size: 256 * MB, format: ['mkfs.btrfs', '-q', '-K'], options: 'nodiscard', atom: 4096 },
};
