/** What the bench shows. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  /** The most that is allowed; a figure without one explains another. */
  readonly target?: number;
  readonly unit?: string;
  /** What the value is made of. */
  readonly detail?: string;
}

export function verdictOf({ value, target }: Figure): 'met' | 'NOT MET' | '' {
  if (target === undefined) return '';
  return value <= target ? 'met' : 'NOT MET';
}

export function tableOf(figures: readonly Figure[]): string {
  const width = Math.max(...figures.map(({ name }) => name.length));
  const rows = figures.map((figure) => {
    const { name, value, target, unit = '', detail = '' } = figure;
    const most = target === undefined ? '' : `≤ ${numberOf(target)}${unit}`;
    return [
      name.padEnd(width),
      `${numberOf(value)}${unit}`.padStart(9),
      most.padEnd(10),
      verdictOf(figure).padEnd(8),
      detail,
    ]
      .join('  ')
      .trimEnd();
  });
  return rows.join('\n');
}

function numberOf(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}
