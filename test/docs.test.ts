import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';

/** Types of the names that a snippet may leave to its reader. A page says so by a comment: `// yours: a, b`. */
const yours: Readonly<Record<string, string>> = {
  bytes: 'Uint8Array<ArrayBuffer>',
  file: 'File',
  folder: 'FileSystemDirectoryHandle',
  found: `import('cryoet-picks').ParticlePick[]`,
  gauss: `import('cryoet-picks').VolumeSource`,
  input: 'HTMLInputElement',
  instance: `import('cryoet-picks').VolumeSource`,
  label: `import('cryoet-picks').VolumeSource`,
  labels: `import('cryoet-picks').VolumeSource`,
  map: `import('cryoet-picks').VolumeSource`,
  model: `import('cryoet-picks').Model`,
  objects: `import('cryoet-picks').PickableObject[]`,
  picks: `import('cryoet-picks').ParticlePick[]`,
  project: `import('cryoet-picks').Project`,
  radii: 'Readonly<Record<string, number>>',
  run: `import('cryoet-picks').Run`,
  runs: `import('cryoet-picks').ScoredRun[]`,
  slabs: `AsyncIterable<import('cryoet-picks').ScoreSlab>`,
  sobel: `import('cryoet-picks').VolumeSource`,
  source: `import('cryoet-picks').VolumeSource`,
  text: 'string',
  tomogram: `import('cryoet-picks').Tomogram`,
  truth: `import('cryoet-picks').ParticlePick[]`,
  votes: `import('cryoet-picks').ParticlePick[]`,
};

/** The same for the examples of doc comments, where no comment says so. */
const yoursInExamples: Readonly<Record<string, string>> = {
  ...yours,
  config: `import('cryoet-picks/copick').ProjectConfig`,
  context: 'CanvasRenderingContext2D',
  directory: 'FileSystemDirectoryHandle',
  filament: `import('cryoet-picks/copick').Filament`,
  filaments: `import('cryoet-picks/copick').Filament[]`,
  grid: `import('cryoet-picks').VoxelGrid`,
  instances: `import('cryoet-picks').VolumeSource`,
  intensity: `import('cryoet-picks').Intensity`,
  ort: `typeof import('onnxruntime-node')`,
  plan: `import('cryoet-picks').TilePlan`,
  scoresOf: `(tile: import('cryoet-picks').Tile) => Promise<Float32Array>`,
  signal: 'AbortSignal',
  submissionCsv: 'string',
  truthCsv: 'string',
  unetA: `import('cryoet-picks').Model`,
  unetB: `import('cryoet-picks').Model`,
  volume: `import('cryoet-picks').Volume<Float32Array>`,
};

const root = join(import.meta.dirname, '..');

it('every snippet of the README and docs is complete and type-checks', { timeout: 120_000 }, () => {
  const pages = [textOf('README.md'), ...textsIn('docs', '.md')].filter(
    ({ path }) => !/^docs\/(api|node_modules)\//.test(path),
  );
  const [unknownName, wrongOption, lateImport, undeclared] = [
    page("import { toPicks } from 'cryoet-picks';\ntoPicks();"),
    page("import { suppressNearby } from 'cryoet-picks';\nsuppressNearby([], { minimalDistance: 3 });"),
    page('cziiRules.objects;', "import { cziiRules } from 'cryoet-picks';"),
    page("import { scorePicks } from 'cryoet-picks';\nscorePicks(runs);"),
  ].map((text, index) => ({ path: `wrong-${index}.md`, text }));
  const found = problemsOf([...pages, unknownName, wrongOption, lateImport, undeclared].flatMap(modulesOfPage));

  expect(pages.length).toBeGreaterThan(10);
  expect(found.filter(({ path }) => !path.startsWith('wrong-')).map(describeProblem)).toEqual([]);
  expect(found.filter(({ path }) => path.startsWith('wrong-')).map(describeProblem)).toEqual([
    expect.stringMatching(/^wrong-0\.md:2: .*no exported member.*toPicks/),
    expect.stringMatching(/^wrong-1\.md:3: .*minimalDistance/),
    expect.stringMatching(/^wrong-2\.md:2: .*cziiRules/),
    expect.stringMatching(/^wrong-3\.md:3: .*runs/),
  ]);
});

it('every example of a doc comment type-checks', { timeout: 120_000 }, () => {
  const sources = textsIn('src', '.ts');
  const wrong = [
    '/**\n * @example\n * ```ts\n * toPicks();\n * ```\n */',
    '/** Twice.\n *\n * ```ts\n * cziiRules.objects;\n * cziiRules.radius;\n * ```\n */',
    '/**\n * ```ts\n * const near = suppressNearby(picks, { minimalDistance: 3 });\n * ```\n */',
    '/**\n * ```ts\n * report(picks);\n * ```\n */',
  ].map((text, index) => ({ path: `wrong-${index}.ts`, text }));
  const found = problemsOf([...sources, ...wrong].flatMap(modulesOfSource));

  expect(sources.flatMap(({ text }) => examplesOf(text)).length).toBeGreaterThan(80);
  expect(found.filter(({ path }) => !path.startsWith('wrong-')).map(describeProblem)).toEqual([]);
  expect(found.filter(({ path }) => path.startsWith('wrong-')).map(describeProblem)).toEqual([
    expect.stringMatching(/^wrong-0\.ts:4: .*toPicks/),
    expect.stringMatching(/^wrong-1\.ts:5: .*radius/),
    expect.stringMatching(/^wrong-2\.ts:3: .*minimalDistance/),
    expect.stringMatching(/^wrong-3\.ts:3: .*report/),
  ]);
});

interface Page {
  readonly path: string;
  readonly text: string;
}

interface Problem {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

function textOf(path: string): Page {
  return { path, text: readFileSync(join(root, path), 'utf8') };
}

function textsIn(folder: string, extension: string): Page[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension))
    .map((name) => textOf(`${folder}/${name.replaceAll('\\', '/')}`));
}

function page(...blocks: readonly string[]): string {
  return blocks.map((code) => `\`\`\`ts\n${code}\n\`\`\`\n`).join('');
}

function describeProblem({ path, line, message }: Problem): string {
  return `${path}:${line}: ${message}`;
}

/** Files of the package and of its types, which all programs of this test share. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/** What the compiler finds in the snippets of a program of modules. */
function problemsOf(modules: readonly Module[]): Problem[] {
  const texts = new Map(modules.map(({ fileName, text }) => [fileName, text]));
  const options = compilerOptions();
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => texts.has(name) || fileExists(name);
  host.readFile = (name) => texts.get(name) ?? readFile(name);
  host.getSourceFile = (name, target, ...rest) => {
    const text = texts.get(name);
    if (text !== undefined) return ts.createSourceFile(name, text, target);
    if (!parsed.has(name)) parsed.set(name, getSourceFile(name, target, ...rest));
    return parsed.get(name);
  };
  const program = ts.createProgram([...texts.keys()], options, host);
  return modules.flatMap((module) => problemsOfModule(program, module));
}

function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(
    { ...config, include: [], files: ['src/entry/index.ts'] },
    ts.sys,
    root,
  );
  return {
    ...options,
    declaration: false,
    isolatedDeclarations: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
  };
}

interface Module {
  readonly path: string;
  readonly fileName: string;
  /** Line 0: imports of earlier snippets, 1: those of this one, then the code of earlier ones, then that of this one. */
  readonly text: string;
  /** Where the code of this snippet starts, in the module and in the page. */
  readonly line: number;
  readonly pageLine: number;
}

function problemsOfModule(program: ts.Program, { path, fileName, line: firstLine, pageLine }: Module): Problem[] {
  const file = program.getSourceFile(fileName);
  const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
  return found.flatMap(({ start = 0, messageText }) => {
    const line = file?.getLineAndCharacterOfPosition(start).line ?? 0;
    const message = ts.flattenDiagnosticMessageText(messageText, ' ');
    if (line === 1) return [{ path, line: pageLine, message }];
    return line < firstLine ? [] : [{ path, line: pageLine + line - firstLine, message }];
  });
}

/** Each snippet lies in a scope inside that of the one before, so that it sees its names and may use them anew. */
function modulesOfPage({ path, text }: Page): Module[] {
  const imports = new Map<string, string>();
  const modules: Module[] = [];
  let body = '';
  for (const [index, { code, pageLine }] of snippetsOf(text).entries()) {
    const own = separateImports(code);
    const earlier = [...imports].filter(([name]) => !own.imports.has(name)).map(([, statement]) => statement);
    for (const [name, statement] of own.imports) imports.set(name, statement);
    const head = `${earlier.join(' ')}\n${[...own.imports.values()].join(' ')}\nexport async function page() {`;
    body += `{ ${declarationsOf(code)}\n`;
    const line = `${head}${body}`.split('\n').length - 1;
    body += `${own.code}\n`;
    const fileName = join(root, `${path.replaceAll(/\W/g, '-')}-${index}.ts`);
    modules.push({ path, fileName, text: `${head}${body}${'}'.repeat(index + 2)}`, line, pageLine });
  }
  return modules;
}

/** Each example is a module of its own, which sees all public names and what its own file exports. */
function modulesOfSource({ path, text }: Page): Module[] {
  return examplesOf(text).map(({ code, pageLine }, index) => {
    const own = separateImports(code);
    const others = [...publicNames(), ...exportsOf(text, `./${path}`)].filter(([name]) => !own.imports.has(name));
    const names = Object.entries(yoursInExamples).map(
      ([name, type]) => `const ${name} = undefined as unknown as ${type};`,
    );
    const head = [...new Map(others).values()].join(' ');
    const body = `export async function example() { ${names.join(' ')} {\n${own.code}\n} }`;
    const fileName = join(root, `${path.replaceAll(/\W/g, '-')}-${index}.ts`);
    return { path, fileName, text: `${head}\n${[...own.imports.values()].join(' ')}\n${body}`, line: 3, pageLine };
  });
}

/** The code of the doc comments of a file, without the stars. */
function examplesOf(text: string): { code: string; pageLine: number }[] {
  return [...text.matchAll(/^( *)\/\*\*.*?\*\/$/gms)].flatMap(({ 0: comment, index: start }) =>
    [...comment.matchAll(/^ *\* ```ts\n(.*?)^ *\* ```$/gms)].map(({ 1: code, index }) => ({
      code: (code ?? '').replaceAll(/^ *\* ?/gm, '').replaceAll('*\\/', '*/'),
      pageLine: text.slice(0, start + index).split('\n').length + 1,
    })),
  );
}

let names: Map<string, string> | undefined;

/** The import statements of all public names, and of what examples use of Node. */
function publicNames(): Map<string, string> {
  names ??= new Map([
    ...['readFile', 'writeFile'].map((name) => [name, `import { ${name} } from 'node:fs/promises';`] as const),
    ...textsIn('src/entry', '.ts').flatMap(({ path, text }) => [...exportsOf(text, `./${path}`)]),
  ]);
  return names;
}

/** An import statement for each name that a file exports. */
function exportsOf(text: string, from: string): Map<string, string> {
  const file = ts.createSourceFile('file.ts', text, ts.ScriptTarget.ES2022, true);
  const found = file.statements.flatMap((statement) => {
    if (ts.isExportDeclaration(statement) && statement.exportClause && ts.isNamedExports(statement.exportClause)) {
      return statement.exportClause.elements.map(({ name }) => name.text);
    }
    if (!ts.canHaveModifiers(statement)) return [];
    if (!ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return [];
    if (ts.isVariableStatement(statement)) {
      return statement.declarationList.declarations.map(({ name }) => name.getText(file));
    }
    return 'name' in statement && statement.name ? [(statement.name as ts.Identifier).text] : [];
  });
  return new Map(found.map((name) => [name, `import { ${name} } from '${from}';`]));
}

function snippetsOf(text: string): { code: string; pageLine: number }[] {
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(({ index, 1: code }) => ({
    code: code ?? '',
    pageLine: text.slice(0, index).split('\n').length + 1,
  }));
}

/** The names that comments leave to the reader, as constants. */
function declarationsOf(code: string): string {
  const names = [...code.matchAll(/\/\/ yours: ([\w, ]+)/g)].flatMap(([, list]) => list?.split(',') ?? []);
  return names.map((name) => `const ${name.trim()} = undefined as unknown as ${yours[name.trim()]};`).join(' ');
}

/** The imports of a snippet by the names that they bring, one statement each, and its code with blanks in their place. */
function separateImports(code: string): { imports: Map<string, string>; code: string } {
  const file = ts.createSourceFile('snippet.ts', code, ts.ScriptTarget.ES2022);
  const imports = new Map<string, string>();
  let rest = code;
  for (const statement of file.statements.filter(ts.isImportDeclaration)) {
    const { importClause: clause, moduleSpecifier } = statement;
    const from = `from ${moduleSpecifier.getText(file)};`;
    const bindings = clause?.namedBindings;
    const word = clause?.phaseModifier === ts.SyntaxKind.TypeKeyword ? 'import type' : 'import';
    if (clause?.name) imports.set(clause.name.text, `${word} ${clause.name.text} ${from}`);
    if (bindings && ts.isNamespaceImport(bindings))
      imports.set(bindings.name.text, `${word} ${bindings.getText(file)} ${from}`);
    if (bindings && ts.isNamedImports(bindings)) {
      for (const one of bindings.elements) imports.set(one.name.text, `${word} { ${one.getText(file)} } ${from}`);
    }
    const [start, end] = [statement.getStart(file), statement.getEnd()];
    rest = rest.slice(0, start) + rest.slice(start, end).replaceAll(/[^\n]/g, ' ') + rest.slice(end);
  }
  return { imports, code: rest };
}
