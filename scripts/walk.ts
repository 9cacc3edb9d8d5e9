/**
 * Counts the source files that a voxel, a tile and a peak pass on their way through the library: those in which a function
 * runs. Exit status 1 if one passes more than it may.
 *
 *     npm run walk
 *
 * The package is built with source maps into `.cache/walk`. A small program (`walk/travellers.ts`) does each piece of work once to
 * load modules and start threads, then again under V8's precise coverage, in all threads:
 *
 * - voxel: `measureIntensity` of an OME-Zarr on disk, from a compressed chunk, decoded in a thread, to mean and deviation;
 * - tile: `scoreSlabs` of the same tomogram, from chunks in memory through the network in its thread to slabs of scores;
 * - peak: `localMaxima`, `toPick`, `suppressNearby`, from slabs in memory to picks.
 *
 * Not counted: files of which only types, constants or the module's own statements are used, what opens tomogram and model, and
 * what runs once in a process, such as compiling WebAssembly.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import type { ScriptRuns } from './walk/threads-coverage.ts';

/** Files that a traveller may pass at most. */
const limits: Readonly<Record<string, number>> = { voxel: 20, tile: 15, peak: 10 };

const root = fileURLToPath(new URL('..', import.meta.url));
const work = join(root, '.cache/walk');

/** Builds the package with source maps, and the program that uses it. */
function build(): string {
  mkdirSync(work, { recursive: true });
  const tsup = join(root, 'node_modules/.bin/tsup');
  const options = ['--silent', '--no-dts', '--sourcemap', '--out-dir', join(work, 'dist')];
  execFileSync(tsup, options, { cwd: root, stdio: 'inherit' });
  // `cryoet-picks` and `#decode-pool` are what this package.json says, from here.
  cpSync(join(root, 'package.json'), join(work, 'package.json'));
  const program = join(work, 'travellers.js');
  buildSync({
    entryPoints: [join(root, 'scripts/walk/travellers.ts')],
    outfile: program,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    // Without the paths of tsconfig.json, which lead to the sources.
    tsconfigRaw: {},
  });
  return program;
}

/** Where a script of the build comes from: its source map, and the offsets at which its lines begin. */
interface Mapped {
  readonly map: SourceMap;
  readonly lines: readonly number[];
}

function mapOf(script: string): Mapped {
  const text = readFileSync(script, 'utf8');
  const lines = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.push(at + 1);
  return { map: new SourceMap(JSON.parse(readFileSync(`${script}.map`, 'utf8'))), lines };
}

/** The names of the functions that ran, by the file of `src` they are written in. */
function filesPassed(scripts: readonly ScriptRuns[]): Map<string, Set<string>> {
  const passed = new Map<string, Set<string>>();
  const dist = `${join(work, 'dist')}/`;
  for (const { url, functions } of scripts) {
    if (!url.startsWith('file:') || functions.length === 0) continue;
    const script = fileURLToPath(url);
    if (!script.startsWith(dist)) continue;
    const { map, lines } = mapOf(script);
    for (const { name, offset } of functions) {
      const line = lines.findLastIndex((start) => start <= offset);
      const entry = map.findEntry(line, offset - lines[line]!);
      // What esbuild adds of its own comes from nowhere.
      if (!('originalSource' in entry)) continue;
      const file = relative(join(root, 'src'), join(dirname(script), entry.originalSource));
      passed.set(file, (passed.get(file) ?? new Set()).add(name || '(anonymous)'));
    }
  }
  return new Map([...passed].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const program = build();
const folder = mkdtempSync(join(tmpdir(), 'cryoet-picks-walk-'));
try {
  const model = join(root, 'examples/models/segmentation.onnx');
  const { status, stdout } = spawnSync(process.execPath, [program, model, folder], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
  });
  if (status !== 0) throw new Error(`the program ended with exit status ${status}`);
  const runs = JSON.parse(stdout) as Readonly<Record<string, readonly ScriptRuns[]>>;
  console.log('Source files in which a function runs, in any thread, once modules are loaded and threads started.');
  for (const [traveller, limit] of Object.entries(limits)) {
    const passed = filesPassed(runs[traveller]!);
    console.log(`\n${traveller}: ${passed.size} files, at most ${limit}${passed.size > limit ? '  too many' : ''}`);
    for (const [file, names] of passed) console.log(`  ${file}: ${[...names].sort().join(', ')}`);
    if (passed.size > limit) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
