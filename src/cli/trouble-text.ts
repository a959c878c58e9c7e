/** How a trouble and a warning read, wherever they are shown. Pure. */
import type { Trouble } from './config-view.ts';
import type { Line } from './output.ts';

type Told = Pick<Trouble, 'message' | 'remedy'>;

export function troubleLines({ message, remedy }: Told): Line[] {
  return ['', { text: message, tone: 'bad' }, `  → ${remedy}`];
}

export function warningLines({ message, remedy }: Told): Line[] {
  return ['', `Warning: ${message}`, `  → ${remedy}`];
}
