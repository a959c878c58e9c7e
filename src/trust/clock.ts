import { LIMITS } from '../limits.ts';

/** How far, in milliseconds, the clocks of a publisher and of this host may differ. */
export const MAX_CLOCK_SKEW = LIMITS.clockSkew;
