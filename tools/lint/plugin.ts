// The project's own oxlint rules, for what no ready-made rule can say. tools/lint/lint.unit.spec.ts shows each of them at work.
import { dirname, join, relative } from 'node:path';
import { EDGES, SPEC_ONLY, mayImport } from './edges.ts';

/** As much of a syntax node (ESTree) as these rules look at. */
interface Node {
  readonly type: string;
  readonly range: readonly [number, number];
  readonly source?: Node | null;
  readonly value?: unknown;
  readonly declaration?: Node | null;
  readonly declarations?: readonly Node[];
  readonly id?: Node | null;
  readonly name?: string;
  readonly callee?: Node;
  readonly object?: Node;
  readonly property?: Node;
  readonly key?: Node;
  readonly arguments?: readonly Node[];
  readonly properties?: readonly Node[];
}

interface Context {
  readonly filename: string;
  readonly cwd: string;
  readonly sourceCode: { getCommentsBefore(node: Node): readonly { readonly type: string; readonly value: string }[] };
  report(problem: { node: Node; message: string }): void;
}

type Visitor = Record<string, (node: Node) => void>;
interface Rule {
  create(context: Context): Visitor;
}

/** `libs/arch` of `libs/arch/src/x.ts`; undefined outside of packages. */
const packageFolder = (path: string): string | undefined => /^(?:infra(?=\/)|(?:apps|libs)\/[^/]+)/.exec(path)?.[0];

/** Files that may import whatever they try out or show: specs, benches, drills, and what takes pictures. */
const SPEC_OR_BENCH = /\.(spec|bench)\.ts$|\/(bench|drills|images)\//;

/** Imports between packages keep to the table in edges.ts, go by the package's name alone, and never by a path that leaves the package. */
const importEdges: Rule = {
  create(context) {
    const path = relative(context.cwd, context.filename).replaceAll('\\', '/');
    const home = packageFolder(path);
    const name = home?.split('/').at(-1);
    const check = (node: Node): void => {
      const target = node.source?.value;
      if (typeof target !== 'string') return;
      const problem = target.startsWith('.') ? leaves(target) : breaksEdge(target);
      if (problem) context.report({ node, message: problem });
    };
    const leaves = (target: string): string | undefined => {
      const root = packageFolder(join(dirname(path), target).replaceAll('\\', '/'));
      return root === home ? undefined : `'${target}' leaves ${home ?? 'its folder'}; import the other package by its name`;
    };
    const breaksEdge = (target: string): string | undefined => {
      const [, to, inside] = /^@s2lab\/([^/]+)(\/.*)?$/.exec(target) ?? [];
      if (!to) return undefined;
      if (inside) return `'${target}' reaches into a package; import '@s2lab/${to}'`;
      if (!(to in EDGES)) return `@s2lab/${to} is not in the table of edges (tools/lint/edges.ts)`;
      if (!name || SPEC_OR_BENCH.test(path)) return undefined;
      if (SPEC_ONLY.includes(to)) return `only specs may import @s2lab/${to}`;
      return mayImport(name, to) ? undefined : `${name} may not import ${to} (tools/lint/edges.ts)`;
    };
    return { ImportDeclaration: check, ExportNamedDeclaration: check, ExportAllDeclaration: check, ImportExpression: check };
  },
};

/** Every exported declaration has a docstring; a re-export has its docstring where it is declared. */
const exportedDocstring: Rule = {
  create(context) {
    let documented = new Set<string>();
    return {
      Program: () => void (documented = new Set()),
      ExportNamedDeclaration(node) {
        const { declaration } = node;
        if (!declaration) return;
        const name = declaration.id?.name ?? declaration.declarations?.[0]?.id?.name ?? '';
        const hasDocstring = context.sourceCode
          .getCommentsBefore(node)
          .some(({ type, value }) => type === 'Block' && value.startsWith('*'));
        // An overloaded function is documented at its first signature.
        if (hasDocstring) documented.add(name);
        else if (!documented.has(name))
          context.report({ node, message: `exported ${name} has no docstring: what it is in one sentence, shape and units, @throws` });
      },
    };
  },
};

/** No test is left out or singled out, neither by a method of `test`, `it`, `describe` or `t`, nor by an option. */
const noSkippedTests: Rule = {
  create(context) {
    const tests = new Set(['test', 'it', 'describe', 'suite', 't']);
    const leavesOut = new Set(['skip', 'only', 'todo']);
    return {
      CallExpression(node) {
        const { callee } = node;
        const called = callee?.type === 'MemberExpression' ? callee.object?.name : callee?.name;
        if (!called || !tests.has(called)) return;
        const marks = [
          callee?.property,
          ...(node.arguments ?? []).flatMap((argument) => argument.properties ?? []).map((property) => property.key),
        ];
        const mark = marks.find((found) => leavesOut.has(found?.name ?? ''))?.name;
        if (mark)
          context.report({
            node,
            message: `a test must run: '${mark}' is not allowed (a missing tool: requireCapability of @s2lab/testkit)`,
          });
      },
    };
  },
};

const rules: Record<string, Rule> = {
  'import-edges': importEdges,
  'exported-docstring': exportedDocstring,
  'no-skipped-tests': noSkippedTests,
};

// oxlint wants a plugin as the default export.
export default { meta: { name: 's2lab' }, rules };
