import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Rollout } from '../manifest.ts';
import type { NodeName } from '../release.ts';

/**
 * This node's stable place among all: 32 bytes that differ from node to node and never change on one host, and from
 * which the machine id cannot be read back.
 */
export function cohortOf(machineId: string, node: NodeName): Buffer {
  return createHash('sha256').update(`node-updater cohort\n${machineId}\n${node}`).digest();
}

/** HMAC-SHA256(seed, place) <= cursor, unsigned, most significant byte first: as the Storj network has it. */
export function inRollout(place: Buffer, rollout: Pick<Rollout, 'seed' | 'cursor'>): boolean {
  const seed = Buffer.from(rollout.seed, 'hex');
  const cursor = Buffer.from(rollout.cursor, 'hex');
  const drawn = createHmac('sha256', seed).update(place).digest();
  return timingSafeEqual(drawn, cursor) || Buffer.compare(drawn, cursor) < 0;
}
