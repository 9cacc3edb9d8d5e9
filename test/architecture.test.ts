import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/**
 * The folders of `src/`, lowest first, and the files of each, lowest first: a folder's list reads like its data flow.
 *
 * A file imports only from folders to the left of its own and from files above it in its own list. Imports of types
 * count, and so do imports of `#…`, which package.json maps to files.
 */
const house: Readonly<Record<string, readonly string[]>> = {
  core: ['errors', 'arguments', 'concurrency', 'json-parser', 'json', 'text-pieces', 'buffer-pool', 'sha256'],
  wasm: ['instantiate', 'modules'],
  space: ['grid', 'cell-grid'],
  volume: ['volume', 'intensity', 'normalize', 'resample', 'ndarray'],
  tiles: ['axis', 'window', 'plan', 'calibration-curve', 'blend'],
  codecs: [
    'number-type',
    'shuffle',
    'lz4',
    'blosc',
    'blosc-encode',
    'zstd',
    'inflate',
    'checksum',
    'decode',
    'registry',
  ],
  storage: [
    'store',
    'address',
    'coalesce',
    'retry',
    'http-request',
    'http',
    'served',
    's3-address',
    's3',
    'random-access',
    'zip',
  ],
  'ome-zarr': [
    'metadata',
    'shards',
    'array-metadata',
    'chunk-memory',
    'chunk-record',
    'chunk',
    'decode-task',
    'decode-pool',
    'array',
    'consolidated',
    'chunk-cache',
    'levels',
    'level-source',
    'tomogram',
  ],
  'ome-zarr/write': ['pyramid', 'plan', 'chunk-sinks', 'metadata', 'replace-image', 'image'],
  mrc: ['voxels', 'header', 'open', 'encode'],
  tiff: ['stack'],
  inference: [
    'calibration',
    'thresholds',
    'model',
    'model-card',
    'function-model',
    'feature-model',
    'wrappers',
    'activation',
    'score',
    'protobuf',
    'external-data',
    'onnx',
    'thread',
  ],
  peaks: [
    'planes',
    'plateaus',
    'refine',
    'local-maxima',
    'connected-components',
    'watershed',
    'split-touching',
    'smooth',
  ],
  picks: [
    'pick',
    'suppress',
    'candidates',
    'false-picks',
    'mask',
    'merge',
    'dbscan',
    'mean-shift',
    'segmentation',
    'rotation',
    'column-names',
    'csv',
    'submission',
  ],
  metric: ['rules', 'match', 'score', 'sweep'],
  teach: ['feature-map', 'surroundings', 'head', 'logistic', 'cut-off', 'lesson', 'fit', 'learn', 'teach', 'add-head'],
  match: [
    'rotations',
    'fft',
    'transfer',
    'turn',
    'average',
    'template',
    'mask',
    'whitening',
    'surrogate',
    'correlate',
    'rotation-search',
    'refine-boxes',
    'threads',
    'match-template',
    'noise',
    'symmetry',
  ],
  copick: [
    'layout',
    'object',
    'config',
    'tree',
    'edit-config',
    'contents',
    'user-session-files',
    'picks-file',
    'provenance',
    'pick-sets',
    'candidates-file',
    'spline',
    'filament-curve',
    'filaments-file',
    'filament-sets',
    'filament-picks',
    'images',
    'voxel-spacings',
    'features',
    'tomograms',
    'write-volumes',
    'segmentations',
    'write-segmentation',
    'object-maps',
    'run',
    'uri',
    'find',
    'project',
    'portal-points',
  ],
  'copick/portal': ['graphql', 'queries', 'tables', 'tree', 'files', 'metadata', 'store'],
  'copick/croissant': ['urls', 'metadata', 'tree', 'load', 'store'],
  formats: [
    'format',
    'pick-fields',
    'file-context',
    'cmm',
    'copick',
    'csv',
    'dynamo',
    'eman2',
    'imod',
    'napari',
    'ndjson',
    'points',
    'star',
    'relion',
    'stopgap',
    'tom',
    'by-name',
    'run-by-run',
  ],
  detect: [
    'choose-objects',
    'voxel-size',
    'features',
    'candidates',
    'max-false',
    'match-candidates',
    'particles',
    'picks-record',
    'keep-candidates',
    'existing-picks',
    'shards',
    'project-runs',
    'failures',
    'claims',
    'detect-run',
    'run-turns',
    'project',
    'match-project',
    'pick-project',
    'write-detection',
    'run-ways',
    'gather-project',
    'check-tomogram',
  ],
  figure: ['canvas', 'svg-canvas', 'slice', 'slice-image', 'figure'],
  simulate: [
    'random',
    'species',
    'packing',
    'density',
    'structures',
    'surroundings',
    'scene',
    'imaging-options',
    'spectrum',
    'ctf',
    'tilt-series',
    'noise',
    'imaging',
    'tomogram',
    'project',
  ],
  node: [
    'system-error',
    'read-file',
    'file-lock',
    'folders',
    'atomic-files',
    'directory-store',
    'claims',
    'overlay-claims',
    'files',
    'roots',
    'open-project',
    'request-path',
    'store-server',
    'open-browser',
    'package-file',
    'processors',
    'thread-pool',
    'match-worker',
    'match-threads',
    'onnx-worker',
    'onnx-thread',
    'load-model',
    'decode-pool',
    'decode-worker',
  ],
  web: [
    'decode-worker',
    'decode-pool',
    'model-worker',
    'device-choice',
    'load-model',
    'files',
    'lent-store',
    'session',
  ],
  entry: ['index', 'node', 'io', 'copick', 'portal', 'formats', 'figure', 'simulate', 'ndarray', 'web'],
  page: [
    'element',
    'counted',
    'tomogram-name',
    'truth-users',
    'planes',
    'rings',
    'colors',
    'grey-level',
    'grey-volume',
    'extremum',
    'state',
    'live',
    'work',
    'url',
    'places',
    'nearby',
    'review',
    'scoring',
    'compare',
    'page',
    'told',
    'navigate',
    'slice-picture',
    'slice-view',
    'display-panel',
    'layout',
    'histogram',
    'object-dialog',
    'object-panel',
    'score-panel',
    'crop',
    'pick-panel',
    'gallery',
    'volume-file',
    'volume-place',
    'collection',
    'review-record',
    'free-session',
    'interrupted',
    'set-review',
    'drafts',
    'detections',
    'rescale',
    'resume',
    'visit',
    'workspace',
    'save',
    'save-dialog',
    'open-store',
    'session',
    'open-dialog',
    'lesson',
    'detect-messages',
    'worker-search',
    'detect-worker',
    'teach-worker',
    'detect',
    'network-dialog',
    'detect-dialog',
    'pupil',
    'teach-dialog',
    'export',
    'export-dialog',
    'teach-panel',
    'header',
    'status',
    'keys',
    'help',
    'main',
  ],
  cli: [
    'live-bars',
    'terminal',
    'run-bars',
    'scheduler',
    'command',
    'files',
    'choose',
    'run-results',
    'max-false',
    'run-grids',
    'picks-file',
    'project-picks',
    'convert-write',
    'score',
    'convert',
    'import',
    'runtime',
    'coarse-intensity',
    'preflight',
    'masks',
    'thresholds',
    'dry-run',
    'detect',
    'detect-file',
    'match',
    'model-files',
    'told-picks',
    'teach',
    'simulate',
    'demo',
    'progress',
    'info',
    'detect-command',
    'gather',
    'view-target',
    'view',
    'view-export',
    'program',
    'main',
  ],
};

/** The switch of the runtime: package.json maps `#decode-pool` to the threads of Node or to those of a browser. */
const exceptions = ['ome-zarr/decode-pool.ts -> #decode-pool'];

/** Imports that break the rule today. The list may only shrink. */
const violations: readonly string[] = [];

const source = fileURLToPath(new URL('../src/', import.meta.url));

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.replaceAll('\\', '/'))
  .sort();

const order = new Map(
  Object.entries(house)
    .flatMap(([folder, names]) => names.map((name) => `${folder}/${name}.ts`))
    .map((file, index) => [file, index]),
);

interface Import {
  /** As written. */
  readonly path: string;
  /** True if only types cross. */
  readonly typeOnly: boolean;
}

const imports = new Map(files.map((file) => [file, readImports(file)]));

const importsOf = (file: string): readonly Import[] => imports.get(file)!;

/** Reads what a file imports or exports from. */
function readImports(file: string): Import[] {
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      found.push({ path: node.moduleSpecifier.text, typeOnly });
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
      found.push({ path: node.moduleSpecifier.text, typeOnly: node.isTypeOnly });
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [path] = node.arguments;
      if (path && ts.isStringLiteral(path)) found.push({ path: path.text, typeOnly: false });
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      const { literal } = node.argument;
      if (ts.isStringLiteral(literal)) found.push({ path: literal.text, typeOnly: true });
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(join(source, file), 'utf8'), ts.ScriptTarget.Latest, true));
  return found;
}

/** The files of `src/` that a file imports; `#…` stands for what package.json maps it to, here itself. */
function localImports(file: string): string[] {
  return importsOf(file)
    .map(({ path }) =>
      path.startsWith('.') ? relative(source, join(source, dirname(file), path)).replaceAll('\\', '/') : path,
    )
    .filter((path) => path.startsWith('#') || (path.endsWith('.ts') && !path.startsWith('..')));
}

describe('architecture', () => {
  it('lists every source file, and lists no file that is gone', () => {
    expect([...order.keys()].sort()).toEqual(files);
  });

  it('has only folders at the root of src', () => {
    expect(readdirSync(source, { withFileTypes: true }).filter((entry) => !entry.isDirectory())).toEqual([]);
  });

  it('lets a file import only from folders to its left and from files above it in its folder', () => {
    const upward = files.flatMap((file) =>
      localImports(file)
        .filter((target) => target.startsWith('#') || order.get(target)! >= order.get(file)!)
        .map((target) => `${file} -> ${target}`),
    );
    expect([...new Set(upward)].sort()).toEqual([...exceptions, ...violations].sort());
  });

  it('has no circle of imports, types included', () => {
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      if (path.includes(file) || done.has(file)) return;
      for (const target of localImports(file)) if (!target.startsWith('#')) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(circles).toEqual([]);
  });

  it('re-exports in entries, and does nothing else there', () => {
    const working = files.filter((file) => {
      if (!file.startsWith('entry/')) return false;
      const parsed = ts.createSourceFile(file, readFileSync(join(source, file), 'utf8'), ts.ScriptTarget.Latest);
      return !parsed.statements.every((statement) => ts.isExportDeclaration(statement));
    });
    expect(working).toEqual([]);
  });

  it('imports in the page only its own files and entries of the package', () => {
    const foreign = files
      .filter((file) => file.startsWith('page/'))
      .flatMap((file) => importsOf(file).map(({ path }) => path))
      .filter((path) => !/^(\.\/[^/]+|\.\.\/entry\/[^/]+)$/.test(path));
    expect(foreign).toEqual([]);
  });

  it('imports modules of Node in node/ and cli/ only', () => {
    const users = files.filter((file) => importsOf(file).some(({ path }) => path.startsWith('node:')));
    expect(users.filter((file) => !/^(node|cli)\//.test(file))).toEqual([]);
  });

  it('imports ndarray and ndarray-ops only in volume/ndarray.ts, since both compile code at run time', () => {
    const users = files.filter((file) => importsOf(file).some(({ path }) => /^ndarray(-ops)?$/.test(path)));
    expect(users).toEqual(['volume/ndarray.ts']);
  });

  it('opens projects on the command line at one place, which prints their warnings', () => {
    const openers = files.filter(
      (file) => file.startsWith('cli/') && /\bopenProject\(/.test(readFileSync(join(source, file), 'utf8')),
    );
    expect(openers).toEqual(['cli/files.ts']);
  });

  it('decodes bytes as UTF-8 strictly, except where text is only looked through or shown', () => {
    // A lenient decoder turns bytes that are not UTF-8 into U+FFFD in silence.
    const decoder = /new TextDecoder\((?![^)]*fatal: true)/;
    const lenient = files.filter((file) => decoder.test(readFileSync(join(source, file), 'utf8')));
    expect(lenient).toEqual([
      'cli/files.ts',
      'core/json-parser.ts',
      'inference/external-data.ts',
      'ome-zarr/levels.ts',
      'storage/http-request.ts',
      'storage/s3.ts',
      'tiff/stack.ts',
    ]);
  });

  it('imports the ONNX runtimes as types only, except in the command line and the thread that loadModel opens', () => {
    const users = files.filter((file) =>
      importsOf(file).some(({ path, typeOnly }) => path.startsWith('onnxruntime') && !typeOnly),
    );
    expect(users.filter((file) => !file.startsWith('cli/'))).toEqual(['node/load-model.ts', 'node/onnx-worker.ts']);
  });
});
