/** What `keys list` says to a person. Pure. */
import type { KeyReport, KeysReport } from './keys-report.ts';
import type { Line } from './output.ts';
import { table } from './table.ts';
import { ahead } from './times.ts';

export function keysLines(report: KeysReport, now: number): Line[] {
  return [
    ...headline(report),
    ...walkedLines(report, now),
    ...operatorLines(report, now),
    ...problemLines(report),
    ...forgottenLine(report),
  ];
}

function headline({ node, operator, walked, counts, enough }: KeysReport): Line[] {
  const { threshold, keySet, keys } = counts === 'walked' && walked !== undefined ? walked : operator;
  const which = counts === 'walked' ? `key set ${keySet}, walked to from keys.d` : `keys.d (key set ${keySet})`;
  const text = `${node} believes what ${threshold} of ${keys.length} keys sign: ${which}.`;
  return [{ text, tone: enough ? 'good' : 'bad' }];
}

function walkedLines({ walked }: KeysReport, now: number): Line[] {
  if (walked === undefined) return [];
  const ends = walked.state === 'expired' ? 'expired' : 'expires';
  const when = `published ${day(walked.published)}, ${ends} ${day(walked.expires)}`;
  const way = walked.steps.map(({ keySet, taken }) => `${keySet} (${day(taken)})`).join(', ');
  return [
    '',
    `Key set ${walked.keySet}: ${when}. These count.`,
    ...keyTable(walked.keys, now),
    { text: `  Key sets taken: ${way}`, tone: 'dim' },
  ];
}

function operatorLines({ operator, walked }: KeysReport, now: number): Line[] {
  const role =
    walked === undefined
      ? 'These count. A newer key set of the publisher counts instead once it is found and follows from them.'
      : 'Where the walk begins; whoever changes them makes it begin again. They count no more by themselves.';
  return [
    '',
    `keys.d: key set ${operator.keySet}, ${operator.threshold} of ${operator.keys.length}. ${role}`,
    ...keyTable(operator.keys, now),
  ];
}

function keyTable(keys: readonly KeyReport[], now: number): string[] {
  const rows = keys.map((key) => [
    `  ${key.fingerprint}`,
    key.algorithm,
    key.state,
    expiry(key, now),
    key.userIds[0] ?? '-',
    key.file ?? '',
  ]);
  return table(rows);
}

function expiry({ expires, state }: KeyReport, now: number): string {
  if (expires === undefined) return state === 'unreadable' ? '-' : 'does not expire';
  return state === 'expired' ? `since ${day(expires)}` : `expires ${ahead(Date.parse(expires), now)}`;
}

function problemLines({ operator, walked }: KeysReport): Line[] {
  const bad = [...(walked?.keys ?? []), ...operator.keys].filter(({ problem }) => problem !== undefined);
  const lines = bad.map(({ fingerprint, problem, state }) =>
    state === 'unreadable' ? (problem ?? '') : `The key ${fingerprint} ${problem ?? ''}`,
  );
  return [...new Set(lines)].flatMap((text): Line[] => ['', { text, tone: 'bad' }]);
}

function forgottenLine({ forgotten }: KeysReport): Line[] {
  if (forgotten === undefined) return [];
  return [
    '',
    `This host had walked to key set ${forgotten} from other keys than these. That does not count: the walk begins again.`,
  ];
}

function day(iso: string): string {
  return iso.slice(0, 10);
}
