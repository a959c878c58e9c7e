/**
 * Every suite, one after the other; each is the npm script of its name and can be run alone. A suite that fails does not
 * stop the next. The last line of the output is `N passed, N failed` over all tests (a suite that is no vitest run counts
 * as one), and the exit status is not 0 when anything failed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Suite {
  readonly script: string;
  readonly kind: 'step' | 'vitest';
}

interface Count {
  readonly passed: number;
  readonly failed: number;
}

// build:deb comes before container and cut, which install what it built.
const SUITES: readonly Suite[] = [
  { script: 'lint', kind: 'step' },
  { script: 'typecheck', kind: 'step' },
  { script: 'test:unit', kind: 'vitest' },
  { script: 'test:bus', kind: 'vitest' },
  { script: 'build:deb', kind: 'step' },
  { script: 'test:container', kind: 'vitest' },
  { script: 'test:cut', kind: 'vitest' },
];

function runSuite(suite: Suite, directory: string): Count {
  console.log(`\n== ${suite.script}`);
  const report = join(directory, `${suite.script.replace(':', '-')}.json`);
  const reporters = ['--', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const { status } = spawnSync(
    'npm',
    ['run', '--silent', suite.script, ...(suite.kind === 'vitest' ? reporters : [])],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  const ok = status === 0;
  if (suite.kind === 'step') return { passed: ok ? 1 : 0, failed: ok ? 0 : 1 };
  const counted = countOf(report);
  // A run that failed without a failed test (a file that does not load, an unhandled error) is a failure all the same.
  return ok || counted.failed > 0 ? counted : { ...counted, failed: 1 };
}

function countOf(report: string): Count {
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8')) as Record<string, number>;
    return { passed: numPassedTests ?? 0, failed: numFailedTests ?? 0 };
  } catch (error) {
    console.error(`no report of the suite: ${String(error)}`);
    return { passed: 0, failed: 1 };
  }
}

const directory = mkdtempSync(join(tmpdir(), 'node-autoupdate-test-'));
try {
  let passed = 0;
  let failed = 0;
  for (const suite of SUITES) {
    const count = runSuite(suite, directory);
    passed += count.passed;
    failed += count.failed;
  }
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true });
}
