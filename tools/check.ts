// `npm test`: every static check, then what the specs need, then all specs. With arguments (`npm test -- libs/engine`): only those specs.
import { lint } from './lint.ts';
import { provision } from './provision.ts';
import { type Ran, onCi, runBin } from './project.ts';
import { close, testCommand } from './test.ts';

const STATIC_CHECKS: ReadonlyArray<readonly [name: string, run: () => Ran]> = [
  ['lint', lint],
  ['types', () => runBin('tsc', ['-p', 'tsconfig.json'])],
  ['unused code', () => runBin('knip', ['--no-progress', '--no-config-hints'])],
  ['format', () => runBin('prettier', ['--check', '--log-level', 'warn', '.'])],
];

/** Runs the static checks; each counts as one passed or failed. */
function staticChecks(): { passed: number; failed: number } {
  const count = { passed: 0, failed: 0 };
  for (const [name, run] of STATIC_CHECKS) {
    const { ok, output } = run();
    console.log(`${name.padEnd(12)} ${ok ? 'ok' : 'FAILED'}`);
    if (!ok) console.log(output.trimEnd().replace(/^/gm, '  '));
    count[ok ? 'passed' : 'failed'] += 1;
  }
  return count;
}

const args = process.argv.slice(2);
try {
  if (args.length > 0) {
    close(await testCommand(args));
  } else {
    const count = staticChecks();
    if (count.failed > 0) {
      console.log('The specs were not run: mend the above first, or run them alone with `npm test -- PATH`.');
      close(count);
    } else {
      const missing = provision();
      if (missing.length > 0 && onCi()) console.log(`FAILED: under CI nothing may be missing: ${missing.join(', ')}`);
      const specs = await testCommand([]);
      close({ passed: count.passed + specs.passed, failed: count.failed + specs.failed + (onCi() ? missing.length : 0) });
    }
  }
} catch (error) {
  console.error(`test: ${(error as Error).message}`);
  process.exitCode = 2;
}
