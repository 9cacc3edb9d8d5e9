import {
  type AnyPicksFormat,
  encodePicks,
  type FormatOptions,
  formatRequirements,
  type PicksFormatName,
  picksFormat,
} from '../entry/formats.ts';
import type { ParticlePick, RunPicks, VoxelGrid } from '../entry/index.ts';

/** The picks of a run, and the tomogram that they were found in. */
export interface RunToExport extends RunPicks {
  readonly grid?: VoxelGrid | undefined;
}

/** A file for another program. */
export interface ExportedFile {
  readonly name: string;
  readonly content: Uint8Array;
}

/** What a format may need to know. */
export interface ExportNeeds {
  /** Names in the order of the project: their numbers, where a format has numbers, count from 1. */
  readonly objects: readonly string[];
  /** Of the tilt series, in Å. @defaultValue the voxel size of the tomogram */
  readonly pixelSize?: number | undefined;
}

/**
 * The files of a format: one if it can hold all runs and objects, else one per run, or per run and object.
 *
 * @throws What a format cannot hold, or does not know.
 */
export async function filesOf(
  runs: readonly RunToExport[],
  name: PicksFormatName,
  { objects, pixelSize }: ExportNeeds,
): Promise<ExportedFile[]> {
  const { extension, oneRun, oneObject } = formatRequirements[name];
  const numbered = (names: readonly string[]) => Object.fromEntries(names.map((one, index) => [index + 1, one]));
  const shared: FormatOptions = {
    objects: numbered([...new Set([...objects, ...runs.flatMap(({ picks }) => picks.map(({ object }) => object))])]),
    runs: numbered(runs.map(({ run }) => run)),
    voxelSize: pixelSize,
  };
  const parts = oneRun || runs.length === 1 ? runs.map((run) => [run]) : [runs];
  const files: ExportedFile[] = [];
  for (const part of parts) {
    for (const one of oneObject ? byObject(part[0] as RunToExport) : [{ stem: stemOf(part), part }]) {
      files.push({ name: `${one.stem}.${extension}`, content: await encoded(one.part, name, shared) });
    }
  }
  return files;
}

function stemOf(runs: readonly RunToExport[]): string {
  return runs.length === 1 ? (runs[0] as RunToExport).run : 'picks';
}

interface Part {
  readonly stem: string;
  readonly part: readonly RunToExport[];
}

function byObject(one: RunToExport): Part[] {
  const objects = new Map<string, ParticlePick[]>();
  for (const pick of one.picks) {
    const own = objects.get(pick.object);
    if (own) own.push(pick);
    else objects.set(pick.object, [pick]);
  }
  return [...objects].map(([object, picks]) => ({ stem: `${one.run}_${object}`, part: [{ ...one, picks }] }));
}

function encoded(runs: readonly RunToExport[], name: PicksFormatName, shared: FormatOptions): Promise<Uint8Array> {
  const [first] = runs;
  if (formatRequirements[name].tomogram !== undefined) requireOneVoxelSize(runs);
  const shapes = Object.fromEntries(runs.flatMap(({ run, grid }) => (grid ? [[run, grid.shape]] : [])));
  const format: AnyPicksFormat = picksFormat(name, {
    ...shared,
    voxelSize: shared.voxelSize ?? first?.grid?.voxelSize,
    // A file of one run takes its shape; a file of several runs takes the shapes of all.
    ...(runs.length === 1 ? { run: first?.run, shape: first?.grid?.shape } : {}),
    shapes,
  });
  return encodePicks(
    runs.map(({ run, picks }) => ({ run, picks })),
    { format },
  );
}

/** Throws for runs whose tomograms differ in voxel size: a file that counts in voxels has one of them. */
function requireOneVoxelSize(runs: readonly RunToExport[]): void {
  const sizes = runs.flatMap(({ grid }) =>
    grid ? [grid.voxelSize.map((length) => length.toFixed(3)).join(' × ')] : [],
  );
  const other = sizes.find((size) => size !== sizes[0]);
  if (other === undefined) return;
  throw new Error(
    `The runs have tomograms of different voxel sizes, ${sizes[0]} and ${other} Å, and one file cannot hold both: ` +
      'export them run by run, or as CSV.',
  );
}

/** Gives a file to the browser to keep. */
export function download({ name, content }: ExportedFile): void {
  const address = URL.createObjectURL(new Blob([content as BlobPart]));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
