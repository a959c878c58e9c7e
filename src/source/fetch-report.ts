import * as z from 'zod';
import { LIMITS } from '../limits.ts';
import type { FetchReport } from '../orders.ts';

const name = z.string().max(255);
const url = z.string().max(8192);

const report = z.object({
  schema: z.literal(1),
  id: z.string().max(64),
  files: z
    .array(
      z.discriminatedUnion('outcome', [
        z.object({
          name,
          outcome: z.literal('fetched'),
          url,
          bytes: z.number().int().nonnegative(),
          etag: z.string().max(1024).exactOptional(),
        }),
        z.object({ name, outcome: z.literal('not-modified'), url }),
        z.object({ name, outcome: z.literal('absent') }),
        z.object({
          name,
          outcome: z.literal('failed'),
          code: z.string().max(64),
          message: z.string().max(4096),
          retryAfter: z.number().int().nonnegative().max(86_400_000).exactOptional(),
        }),
      ]),
    )
    .max(LIMITS.filesPerOrder),
});

/** Undefined for anything that is not a report: its writer is not trusted. */
export function parseReport(text: string): FetchReport | undefined {
  try {
    return report.parse(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}
