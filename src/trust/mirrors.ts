/**
 * One manifest of what several mirrors hold. Pure.
 *
 * Threat: a mirror that serves an older statement on purpose or by neglect must not hold this host back while another one
 * has a newer; and two statements under one serial, each signed, mean that one of them was made for somebody else's eyes.
 */
import { createHash } from 'node:crypto';
import { UpdaterError } from '../errors.ts';
import type { Parsed } from './accept.ts';

/** The one with the highest serial; `from` is for the message. Throws TRUST_EQUIVOCATION when two texts carry it. `accepted` is not empty. */
export function highest<P extends Parsed & { readonly from?: string }>(accepted: readonly [P, ...P[]]): P {
  const best = accepted.reduce((one, other) => (other.manifest.serial > one.manifest.serial ? other : one));
  const rival = accepted.find(({ manifest, text }) => manifest.serial === best.manifest.serial && text !== best.text);
  if (rival === undefined) return best;
  const message = `two different manifests carry serial ${best.manifest.serial}: ${named(best)} and ${named(rival)}`;
  throw new UpdaterError('TRUST_EQUIVOCATION', message, {
    remedy: 'Two mirrors serve them. Tell the publisher both digests: one of the two was not meant for you.',
  });
}

function named({ text, from }: Parsed & { readonly from?: string }): string {
  const digest = createHash('sha256').update(text, 'utf8').digest('hex');
  return from === undefined ? digest : `${digest} (from ${from})`;
}
