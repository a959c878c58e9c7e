/**
 * How many cases a suite of random or repeated cases runs: `small` in everyday use. NODE_UPDATER_TEST_CASES, a factor
 * (`10`, `0.5`), makes every such suite longer or shorter.
 */
export function cases(small: number): number {
  const factor = Number(process.env['NODE_UPDATER_TEST_CASES'] ?? '1');
  if (!(factor > 0)) throw new Error('NODE_UPDATER_TEST_CASES must be a number above 0');
  return Math.max(1, Math.round(small * factor));
}

/** Of all the items `small` in everyday use, spread over them, the first and the last included; all of them in a long run. */
export function sample<Item>(items: readonly Item[], small: number): readonly Item[] {
  const count = Math.min(items.length, cases(small));
  if (count <= 1) return items.slice(0, 1);
  const step = (items.length - 1) / (count - 1);
  return Array.from({ length: count }, (_, n) => items[Math.round(n * step)]).filter((item) => item !== undefined);
}
