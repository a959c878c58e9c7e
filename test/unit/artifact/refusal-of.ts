import { inventoryOf, type SignedCounts } from '../../../src/artifact/headers.ts';
import { UpdaterError } from '../../../src/errors.ts';

/** The code with which the header pass refuses an archive, or 'accepted'; any other error is thrown on. */
export async function refusalOf(path: string, most: SignedCounts): Promise<string> {
  try {
    await inventoryOf(path, most);
    return 'accepted';
  } catch (error) {
    if (error instanceof UpdaterError) return error.code;
    throw error;
  }
}
