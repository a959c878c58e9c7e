/**
 * How many cases a suite of random or repeated cases runs: `small` in everyday use. NODE_UPDATER_TEST_CASES, a factor
 * (`10`, `0.5`), makes every such suite longer or shorter.
 */
export function cases(small: number): number {
  const factor = Number(process.env['NODE_UPDATER_TEST_CASES'] ?? '1');
  if (!(factor > 0)) throw new Error('NODE_UPDATER_TEST_CASES must be a number above 0');
  return Math.max(1, Math.round(small * factor));
}
