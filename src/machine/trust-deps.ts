import type { TrustDeps } from '../trust/verify.ts';
import type { MachineContext } from './context.ts';

/** gpgv works in the transaction's own 0700 directory, where nobody else can write. */
export function trustDeps(context: MachineContext): TrustDeps {
  return { run: context.run, gpgv: '/usr/bin/gpgv', scratch: context.layout.incoming, now: context.clock.now() };
}
