/**
 * The speed meter. Only time spent waiting for the server counts, so that a slow disk is never held against a mirror.
 * (undici's body time-out sees silence alone: five bytes a second pass it for ever. F005.)
 */
import type { FetchSettings } from '../settings.ts';

export interface SpeedMeter {
  /** Takes note of `bytes` that came after `waited` microseconds. @returns whether the server is too slow */
  isTooSlow(bytes: number, waited: bigint): boolean;
}

export function createSpeedMeter(settings: Pick<FetchSettings, 'minimumSpeed' | 'slowWindow'>): SpeedMeter {
  const window = BigInt(Math.round(settings.slowWindow * 1000));
  let waitedSoFar = 0n;
  let bytesSoFar = 0;
  return {
    isTooSlow: (bytes, waited) => {
      waitedSoFar += waited;
      bytesSoFar += bytes;
      if (waitedSoFar < window) return false;
      const bytesPerSecond = (bytesSoFar * 1e6) / Number(waitedSoFar);
      waitedSoFar = 0n;
      bytesSoFar = 0;
      return bytesPerSecond < settings.minimumSpeed;
    },
  };
}
