import type { LogFields } from '../../src/host/ports.ts';

export interface Warnings {
  readonly said: string[];
  warn(message: string, fields?: LogFields): void;
}

/** A log that keeps what it is told. */
export function warnings(): Warnings {
  const said: string[] = [];
  return {
    said,
    warn(message, fields) {
      said.push(`${message} ${JSON.stringify(fields ?? {})}`);
    },
  };
}
