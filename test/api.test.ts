import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');

/** The paths that a user imports from, with the file of each. */
const entries = new Map(
  readdirSync(join(root, 'src/entry'))
    .map((name) => name.replace(/\.ts$/, ''))
    .sort()
    .map((name) => [name === 'index' ? 'cryoet-picks' : `cryoet-picks/${name}`, join(root, `src/entry/${name}.ts`)]),
);

const program = ts.createProgram([...entries.values()], compilerOptions());
const checker = program.getTypeChecker();

/** The names that each entry exports, with what each of them is. */
const surface = new Map([...entries].map(([entry, file]) => [entry, exportsOf(file)]));

/** The names that JavaScript and TypeScript define, the DOM aside. */
const languageNames = new Set(
  program
    .getSourceFiles()
    .filter((file) => program.isSourceFileDefaultLibrary(file) && /lib\.es[^/]*$/.test(file.fileName))
    .flatMap((file) => file.statements)
    .flatMap((statement) => ('name' in statement ? [(statement.name as ts.Identifier).text] : [])),
);

describe('the public API', () => {
  it.each([...entries.keys()])('entry %s exports the values and types of the snapshot', (entry) => {
    expect([...(surface.get(entry) ?? [])].map(([name, symbol]) => describeExport(name, symbol))).toMatchSnapshot();
  });

  it('every entry has a path in package.json and a bundle', () => {
    const { exports, bin, files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const built = readFileSync(join(root, 'tsup.config.ts'), 'utf8');
    const targets = Object.values(exports as Record<string, { default?: string }>).flatMap(
      ({ default: file }) => file ?? [],
    );
    for (const target of [...targets, bin['cryoet-picks']]) {
      expect(built).toMatch(new RegExp(`\\b${target.replace(/^(\.\/)?dist\/|\.js$/g, '')}: 'src/`));
    }
    expect(files).toEqual(expect.arrayContaining(['dist', 'models', 'NOTICE']));
    const paths = Object.keys(exports).map((path) => path.replace(/^\./, 'cryoet-picks'));
    expect(paths).toEqual(expect.arrayContaining([...entries.keys()]));
  });

  it('a public name has one meaning: entries that share it export one declaration', () => {
    // Where a network is loaded from and computes differs by runtime; no program imports both.
    const byRuntime = ['LoadModelOptions', 'loadModel'].map((name) => `${name} (cryoet-picks/node, cryoet-picks/web)`);
    expect(namesWithTwoMeanings(surface)).toEqual(byRuntime);

    const [copick, io] = ['cryoet-picks/copick', 'cryoet-picks/io'].map((entry) => surface.get(entry) ?? new Map());
    const doubled = new Map([
      ['a', new Map([['One', copick?.get('Run')]])],
      ['b', new Map([['One', io?.get('Store')]])],
    ]);
    expect(namesWithTwoMeanings(doubled)).toEqual(['One (a, b)']);
  });

  it('no public name shadows a type of the language, as `Pick` would', () => {
    expect(['Pick', ...namesOf(surface)].filter((name) => languageNames.has(name))).toEqual(['Pick']);
  });

  it('the public API has at most 191 values, the properties of namespace objects counted', () => {
    const values = new Set(namesOf(surface, ts.SymbolFlags.Value).flatMap((name) => valuesOf(name)));
    expect(values.size).toBeLessThanOrEqual(191);
    expect(values.size).toBeGreaterThan(100);
  });
});

function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  return ts.parseJsonConfigFileContent({ ...config, include: [], files: ['src/entry/index.ts'] }, ts.sys, root).options;
}

/** What a file exports, by name, each as the symbol of its declaration. */
function exportsOf(file: string): Map<string, ts.Symbol> {
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  const symbols = module ? checker.getExportsOfModule(module) : [];
  return new Map(
    symbols.map((one): [string, ts.Symbol] => [one.name, declared(one)]).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function declared(symbol: ts.Symbol): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

/** The names that all entries export, each once: of all kinds, or of some. */
function namesOf(of: typeof surface, flags: ts.SymbolFlags = -1): string[] {
  const all = [...of.values()].flatMap((names) => [...names]);
  return [...new Set(all.filter(([, symbol]) => symbol.flags & flags).map(([name]) => name))];
}

function namesWithTwoMeanings(of: typeof surface): string[] {
  return namesOf(of).flatMap((name) => {
    const having = [...of].filter(([, names]) => names.has(name));
    const meanings = new Set(having.map(([, names]) => names.get(name)));
    return meanings.size > 1 ? [`${name} (${having.map(([entry]) => entry).join(', ')})`] : [];
  });
}

/** A value, or what a module holds that is exported as one value. */
function valuesOf(name: string): string[] {
  const [symbol] = [...surface.values()].flatMap((names) => names.get(name) ?? []);
  if (!symbol || !(symbol.flags & ts.SymbolFlags.Module)) return [name];
  return checker.getExportsOfModule(symbol).map((one) => `${name}.${one.name}`);
}

/** A line of the snapshot: the parameters of a function, the fields of an interface, the members of a class. */
function describeExport(name: string, symbol: ts.Symbol): string {
  const { flags } = symbol;
  if (flags & ts.SymbolFlags.Class) return `class ${name} { ${membersOf(symbol)} }`;
  if (flags & ts.SymbolFlags.Interface) return `interface ${name} { ${membersOf(symbol)} }`;
  if (flags & ts.SymbolFlags.TypeAlias) return `type ${name}${choicesOf(checker.getDeclaredTypeOfSymbol(symbol))}`;
  const signatures = checker.getTypeOfSymbol(symbol).getCallSignatures();
  if (signatures.length === 0) return `const ${name}`;
  const parameters = signatures.map(({ parameters: given }) => given.map(parameterOf).join(', '));
  return `function ${name}(${[...new Set(parameters)].join(' | ')})`;
}

function membersOf(symbol: ts.Symbol): string {
  const members = checker.getDeclaredTypeOfSymbol(symbol).getProperties();
  return members
    .filter(({ name, declarations = [] }) => !/^(#|__)/.test(name) && !declarations.some(isPrivate))
    .map(({ name, flags }) => `${name}${flags & ts.SymbolFlags.Optional ? '?' : ''}`)
    .sort()
    .join(', ');
}

function isPrivate(declaration: ts.Declaration): boolean {
  return (ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Private) !== 0;
}

/** The texts that a type of texts allows. */
function choicesOf(type: ts.Type): string {
  const choices = type.isUnion() ? type.types : [];
  if (choices.length === 0 || !choices.every((one) => one.isStringLiteral())) return '';
  return ` = ${choices
    .map(({ value }) => `'${value}'`)
    .sort()
    .join(' | ')}`;
}

function parameterOf(parameter: ts.Symbol): string {
  const { name, valueDeclaration: node } = parameter;
  const given = name.startsWith('__') ? 'options' : name;
  const optional = node && ts.isParameter(node) && (node.questionToken ?? node.initializer ?? node.dotDotDotToken);
  return optional ? `${given}?` : given;
}
