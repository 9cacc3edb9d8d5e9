import { portalPointSteps } from '../copick/portal-points.ts';
import { anything, optional, requireOptions, text } from '../core/arguments.ts';
import { formatJsonBigInt } from '../core/json.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { toPhysical, toVoxel } from '../space/grid.ts';
import { checkVoxelSize, gridFrom, needVoxelSize, requireOption, type VoxelSizeOption } from './file-context.ts';
import { checkedFormat, type PicksFormat } from './format.ts';
import {
  type CheckedPick,
  checkedRotation,
  linesOf,
  onlyObject,
  onlyRun,
  pickFrom,
  picksToWrite,
} from './pick-fields.ts';

/** Options of {@link ndjsonFormat}. */
export interface NdjsonFormatOptions extends VoxelSizeOption {
  /** Run of the file, which holds the points of one tomogram. */
  readonly run?: string | undefined;
  /** Object of the file; the portal names it in a metadata file beside it. */
  readonly object?: string | undefined;
}

const name = 'data portal ndjson';
/**
 * Points of the CryoET Data Portal: a JSON object per line, `point`, `orientedPoint` or `instancePoint`, in voxels of the
 * annotation's voxel spacing; the centre of voxel 0 is 0.
 *
 * @example
 * ```ts
 * const runs = parsePicks(text, { format: ndjsonFormat({ run: 'TS_5_4', object: 'ribosome', voxelSize: 10.012 }) });
 * ```
 */
export function ndjsonFormat(options: NdjsonFormatOptions = {}): PicksFormat {
  requireOptions('ndjsonFormat', options, { run: optional(text), object: optional(text), voxelSize: anything });
  const voxelSize = checkVoxelSize(options.voxelSize);
  const grid = () => gridFrom(needVoxelSize(voxelSize, { place: name }));
  return checkedFormat({
    name,
    content: 'text',
    losses: [
      { part: 'score', what: 'the portal stores no score' },
      { part: 'run', what: 'the portal names the run in the folder' },
      { part: 'object', what: 'the portal names the object in the metadata beside the file' },
    ],
    *parse(content, source) {
      const placement = grid();
      const run = requireOption(options.run, { name: 'run', place: source });
      const object = requireOption(options.object, { name: 'object', place: source });
      const picks: ParticlePick[] = [];
      yield* portalPointSteps(content, source, ({ location: { x, y, z }, rotation, instanceId, line }) => {
        const position = toPhysical(placement, [z, y, x]);
        picks.push(pickFrom({ object, position, instance: instanceId, rotation }, `${source}, line ${line}`));
      });
      return picks.length === 0 ? [] : [{ run, picks }];
    },
    *format(runs) {
      const picks = yield* picksToWrite(runs);
      const placement = grid();
      onlyRun(picks, name);
      onlyObject(picks, name);
      yield* linesOf(picks.each(), (checked) => `${formatJsonBigInt(pointOf(checked, placement))}\n`);
    },
  });
}

function pointOf(checked: CheckedPick, grid: ReturnType<typeof gridFrom>): Record<string, unknown> {
  const { position, instanceId } = checked.pick;
  const [z, y, x] = toVoxel(grid, position);
  const rotation = checkedRotation(checked);
  const type = rotation === undefined ? (instanceId === undefined ? 'point' : 'instancePoint') : 'orientedPoint';
  return {
    type,
    location: { x, y, z },
    ...(rotation === undefined ? {} : { xyz_rotation_matrix: rotation }),
    ...(instanceId === undefined ? {} : { instance_id: instanceId }),
  };
}
