// `npm run lint [-- PATH…]`: the linter, then what concerns the workspace as a whole.
import { workspaceProblems } from './lint/workspace.ts';
import { ROOT, type Ran, runBin } from './project.ts';

/** Lints the whole project, or the files and folders given. */
export function lint(paths: readonly string[] = []): Ran {
  const linter = runBin('oxlint', ['--deny-warnings', '--report-unused-disable-directives', ...paths]);
  const problems = paths.length > 0 ? [] : workspaceProblems(ROOT);
  return {
    ok: linter.ok && problems.length === 0,
    output: [linter.ok ? '' : linter.output.trimEnd(), ...problems].filter(Boolean).join('\n'),
  };
}

if (import.meta.main) {
  const { ok, output } = lint(process.argv.slice(2));
  if (output !== '') console.log(output);
  process.exitCode = ok ? 0 : 1;
}
