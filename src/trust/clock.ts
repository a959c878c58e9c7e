/** How far, in milliseconds, the clocks of a publisher and of this host may differ; the same allowance as apt's. */
export const MAX_CLOCK_SKEW = 10_000;
