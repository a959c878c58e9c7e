/** The part that check, upgrade and rollback share: ask, say each step as it happens, say how it ended. */
import type { RequestKind } from '../orders.ts';
import { ask, type Target } from './ask.ts';
import type { Host } from './host.ts';
import { outcomeLines, reportOutcome, type OutcomeReport } from './outcome.ts';
import { makeNarrator } from './record-text.ts';
import type { Format } from './report-error.ts';

export interface Act {
  readonly kind: RequestKind;
  readonly then: 'follow' | 'no-wait';
}

/** In JSON the steps are progress, and the report is the only thing on standard output. */
export async function act({ kind, then }: Act, target: Target, format: Format, host: Host): Promise<OutcomeReport> {
  const say = format === 'json' ? host.output.progress : host.output.print;
  const asked = await ask(
    {
      kind,
      then,
      narrate: (before) => {
        const narrator = makeNarrator(before);
        return (record) => {
          const lines = narrator.lines(record);
          if (lines.length > 0) say(lines);
        };
      },
    },
    target,
    host,
  );
  return reportOutcome(target.node, asked);
}

export function tell(report: OutcomeReport, format: Format, host: Host): void {
  const { good, bad } = outcomeLines(report);
  if (bad.length > 0) host.output.complain(bad);
  if (format === 'json') host.output.json(report);
  else if (good.length > 0) host.output.print(good);
}
