/** Is the node's binary in the release, and one that this host can run? Asked before anything points to the release. */
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { diskError, errnoOf, UpdaterError } from '../errors.ts';

/** e_machine of the ELF header (elf.h) for what Node calls the architecture. */
const MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183 };
const ELF_MAGIC = 0x7f454c46;
const BIG_ENDIAN = 2;

/**
 * `binary` is relative to `directory`; links are followed and must stay inside. A file that is no ELF (a script) is left
 * to the preflight, which runs it. Throws ARTIFACT_ENTRY_POINT, or DISK_ when it cannot be read.
 */
export async function checkEntryPoint(directory: string, binary: string, arch: string = process.arch): Promise<void> {
  try {
    const root = await realpath(directory);
    const path = await realpath(`${root}/${binary}`);
    if (!path.startsWith(`${root}/`)) throw refused(binary, 'lies outside the release');
    await using file = await open(path, 'r');
    await checkFile(file, binary, arch);
  } catch (error) {
    if (error instanceof UpdaterError) throw error;
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') throw refused(binary, 'is not in the release', error);
    throw diskError(error, 'read', `${directory}/${binary}`);
  }
}

async function checkFile(file: FileHandle, binary: string, arch: string): Promise<void> {
  const stats = await file.stat();
  if (!stats.isFile()) throw refused(binary, 'is no regular file');
  if ((stats.mode & 0o111) === 0) throw refused(binary, 'is not executable');
  const head = Buffer.alloc(20);
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  if (bytesRead < head.length || head.readUInt32BE(0) !== ELF_MAGIC) return;
  const machine = head.readUInt8(5) === BIG_ENDIAN ? head.readUInt16BE(18) : head.readUInt16LE(18);
  if (machine !== MACHINES[arch])
    throw refused(binary, `is built for another machine (ELF ${machine}), not for ${arch}`);
}

function refused(binary: string, why: string, cause?: unknown): UpdaterError {
  return new UpdaterError('ARTIFACT_ENTRY_POINT', `the binary ${JSON.stringify(binary)} ${why}`, {
    remedy:
      'Check `binary` in the file of the node; if it is right, tell the publisher. The node stays on its version.',
    cause,
  });
}
