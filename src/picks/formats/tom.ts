import { CryoetPicksError } from '../../errors.ts';
import { toPhysical, toVoxel } from '../../space/grid.ts';
import { rotationFromEuler } from '../rotation.ts';
import { groupByRun, type RunPicks } from '../run-picks.ts';
import { checkedAngles, checkedPicks } from './checked.ts';
import { type EmArray, readEm, writeEm } from './em.ts';
import { checkVoxelSize, gridFrom, needVoxelSize, type VoxelSizeOption } from './file-grid.ts';
import type { PicksFormat } from './format.ts';
import { numberedInstance } from './instance-id.ts';
import { numberObjects, numberRuns, type ObjectNames, objectOf, type RunNames, runsOf } from './numbered-names.ts';
import { pickFrom } from './pick-from.ts';

/** Options of {@link tomFormat}. */
export interface TomFormatOptions extends VoxelSizeOption, ObjectNames, RunNames {
  /**
   * The number that rows 8–10 give the first voxel; MATLAB counts from 1.
   * @defaultValue 1
   */
  readonly firstVoxel?: 0 | 1 | undefined;
}

const name = 'TOM motive list';
/** Rows of a motive list, from 0, as AV3, ArtiaX and cryoCAT have them. */
const at = {
  ...{ score: 0, subtomogram: 3, tomogram: 4, instance: 5, x: 7, y: 8, z: 9, dx: 10, dy: 11, dz: 12 },
  ...{ phi: 16, psi: 17, theta: 18, class: 19 },
} as const;
const height = 20;

/**
 * Motive list of TOM and AV3 (`.em`): 20 numbers of single precision per particle, voxels from 1 plus shifts, and phi, psi,
 * theta.
 *
 * The object is the class (row 20), the instance id row 6 (0 is none), the run the tomogram number (row 5), the score row 1;
 * the options name the numbers.
 *
 * @example
 * ```ts
 * const runs = parsePicks(bytes, { format: tomFormat({ voxelSize: 10, object: 'ribosome', run: 'TS_5_4' }) });
 * ```
 */
export function tomFormat(options: TomFormatOptions = {}): PicksFormat<Uint8Array> {
  const voxelSize = checkVoxelSize(options.voxelSize);
  const grid = () => gridFrom(needVoxelSize(voxelSize, { place: name }), options.firstVoxel ?? 1);
  return {
    name,
    content: 'bytes',
    losses: [
      { part: 'object', what: 'TOM has class numbers, not names' },
      { part: 'run', what: 'TOM has tomogram numbers, not names' },
      { part: 'precision', what: 'numbers keep about 7 digits' },
    ],
    parse: (bytes, source) => parse(readEm(bytes, source), source, { ...options, grid: grid() }),
    format(runs: Iterable<RunPicks>) {
      const picks = checkedPicks(runs);
      const placement = grid();
      if (picks.length === 0) throw new CryoetPicksError('invalid-picks', `${name} cannot be empty; found no picks`);
      const objectNumber = numberObjects(picks, options);
      const runNumber = numberRuns(picks, options);
      const data = new Float64Array(picks.length * height);
      for (const [index, checked] of picks.entries()) {
        const { position, score } = checked.pick;
        const [z, y, x] = toVoxel(placement, position);
        const [phi, theta, psi] = checkedAngles(checked, 'tom');
        const numbers = {
          subtomogram: index + 1,
          tomogram: runNumber(checked),
          instance: exact(numberedInstance(checked, name), checked.place),
        };
        const row = { ...numbers, score, x, y, z, phi, theta, psi, class: objectNumber(checked) };
        for (const [key, value] of Object.entries(row)) data[index * height + at[key as keyof typeof at]] = value;
      }
      return writeEm({ data, extent: [height, picks.length, 1] });
    },
  };
}

/** A whole number that single precision holds. */
function exact(instanceId: number, place: string): number {
  if (Math.fround(instanceId) === instanceId) return instanceId;
  throw new CryoetPicksError(
    'invalid-picks',
    `${place} has instance id ${instanceId}, which single precision cannot hold`,
  );
}

type Reading = TomFormatOptions & { readonly grid: ReturnType<typeof gridFrom> };

function parse({ data, extent: [rows, y, z] }: EmArray, source: string, options: Reading): RunPicks[] {
  if (rows !== height) {
    throw new CryoetPicksError(
      'invalid-picks',
      `${source} holds ${rows}×${y}×${z} numbers; a motive list has ${height} per particle`,
    );
  }
  const particles = Array.from({ length: y * z }, (_, index) => data.subarray(index * height, (index + 1) * height));
  const bad = particles.findIndex((particle) => !particle.every(Number.isFinite));
  if (bad >= 0) throw new CryoetPicksError('invalid-picks', `${source}, particle ${bad + 1}: expected finite numbers`);
  const numbers = particles.map((particle) => particle[at.tomogram]!);
  const runName = runsOf(numbers, options, source);
  return groupByRun(
    particles.map((particle, index) => ({
      run: runName(numbers[index]!),
      pick: readPick(particle, { ...options, place: `${source}, particle ${index + 1}` }),
    })),
  );
}

function readPick(row: Float64Array, options: Reading & { readonly place: string }): RunPicks['picks'][number] {
  const along = (voxel: number, shift: number) => row[voxel]! + row[shift]!;
  const found = {
    object: objectOf(row[at.class]!, options, options.place),
    position: toPhysical(options.grid, [along(at.z, at.dz), along(at.y, at.dy), along(at.x, at.dx)]),
    score: row[at.score]!,
    instance: row[at.instance]!,
    rotation: rotationFromEuler([row[at.phi]!, row[at.theta]!, row[at.psi]!], 'tom'),
  };
  return pickFrom(found, options.place);
}
