import { join } from 'node:path';
import { expect, it } from 'vitest';
import { nullSeparated } from '../../../src/backup/tool.ts';
import { run } from '../../../src/host/run.ts';

const ROOT = join(import.meta.dirname, '../../..');

it('gives each name its bytes and a NUL, behind what all begin with', () => {
  expect(nullSeparated(['', 'a\xff', '-b\n'], './').toString('latin1')).toBe('./\0./a\xff\0./-b\n\0');
  expect(nullSeparated([])).toHaveLength(0);
});

it('takes no object for each of a million names: the backup room has little memory', async () => {
  const script = `
    import { nullSeparated } from '${ROOT}/src/backup/tool.ts';
    const names = Array.from({ length: 1e6 }, (_, at) => Buffer.from(\`blobs/ab/\${String(at).padStart(52, 'x')}.sj1\`).toString('latin1'));
    console.log(nullSeparated(names, './').length);`;
  const node = [join(ROOT, 'scripts/node'), '--max-old-space-size=160', '--input-type=module-typescript'];
  const { status, stdout } = await run([...node, '--eval', script], { timeout: 25_000 });
  expect({ status, stdout: stdout.toString() }).toEqual({ status: 0, stdout: '68000000\n' });
});
