/** What the files of a staged version were when it was staged: made by who unpacks, written and read by activation. */

export type Listed =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly mode: number;
      /** Bytes. */
      readonly size: number;
      readonly crc32: number;
    }
  | { readonly kind: 'link'; readonly path: string; readonly target: string };

/** Paths as a walk meets them whose directories are read in the order of their names: what is in one follows it at once. */
export function walkOrder(a: string, b: string): number {
  const [left, right] = [a.replaceAll('/', '\0'), b.replaceAll('/', '\0')];
  return left < right ? -1 : left > right ? 1 : 0;
}
