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

/**
 * What of a long run falls to this process: NODE_UPDATER_TEST_SHARE=2/8 is the second of eight parts, which can run side by
 * side or on different days. Each part is spread over all cases, numbered as in the whole run.
 */
export function ownShare<Item>(items: readonly Item[]): readonly (readonly [number, Item])[] {
  const [, part = '', of = ''] = /^(\d+)\/(\d+)$/.exec(process.env['NODE_UPDATER_TEST_SHARE'] ?? '1/1') ?? [];
  const isPart = Number(part) >= 1 && Number(part) <= Number(of);
  if (!isPart) throw new Error('NODE_UPDATER_TEST_SHARE is a part of a whole, as 2/8');
  return [...items.entries()].filter(([at]) => at % Number(of) === Number(part) - 1);
}
