import * as v from 'valibot';
import { anything, optional, positiveCount, requireOptions, text } from '../core/arguments.ts';
import type { Steps } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { checkSchema, showJson } from '../core/json.ts';
import { jsonSteps } from '../core/json-parser.ts';
import type { TextContent } from '../core/text-pieces.ts';
import { type ParticlePick, type RunPicks, reviewMarkOf } from '../picks/pick.ts';
import { toPhysical, toVoxel, type VoxelPlacement, type Zyx } from '../space/grid.ts';
import {
  checkShape,
  checkVoxelSize,
  gridAround,
  gridFrom,
  needVoxelSize,
  requireOption,
  type ShapeOption,
  type VoxelSizeOption,
} from './file-context.ts';
import { checkedFormat, type PicksFormat } from './format.ts';
import { eachInPieces, linesOf, onlyRun, pickFrom, picksToWrite } from './pick-fields.ts';

/** Options of {@link eman2Format}. */
export interface Eman2FormatOptions extends VoxelSizeOption, ShapeOption {
  /** Run of the file, which holds the boxes of one tomogram. */
  readonly run?: string | undefined;
  /** Object of boxes whose class is not in the file's class list. */
  readonly object?: string | undefined;
  /**
   * Edge of the written boxes, in voxels.
   * @defaultValue 32
   */
  readonly boxSize?: number | undefined;
}

const code = 'invalid-picks';
const name = 'EMAN2 JSON';
const finite = v.pipe(v.number(), v.finite('it must be finite'));
const schema = v.looseObject({
  boxes_3d: v.array(v.unknown()),
  class_list: v.optional(v.record(v.string(), v.looseObject({ name: v.string() })), {}),
  apix_unbin: v.optional(v.pipe(finite, v.gtValue(0))),
});
const box = v.looseTuple([finite, finite, finite]);

/**
 * Info file of an EMAN2 tomogram (`info/….json`): `boxes_3d`, named by `class_list`.
 *
 * In a file with `apix_unbin`, positions are in pixels of that size from the centre of the tomogram, voxel `size / 2`; the shape
 * and voxel size of any binning are needed to find it. In other files they are in voxels from the corner
 * (`e2spt_tempmatch.py`). If a shape is given, files are written in the first form. Other keys of a file are not kept.
 *
 * @example
 * ```ts
 * const format = eman2Format({ run: 'TS_5_4', shape: [184, 630, 630], voxelSize: 10 });
 * ```
 */
export function eman2Format(options: Eman2FormatOptions = {}): PicksFormat {
  requireOptions('eman2Format', options, {
    run: optional(text),
    object: optional(text),
    voxelSize: anything,
    shape: anything,
    boxSize: optional(positiveCount),
  });
  const voxelSize = checkVoxelSize(options.voxelSize);
  const shape = checkShape(options.shape);
  return checkedFormat({
    name,
    content: 'text',
    losses: [
      { part: 'orientation', what: 'boxes of EMAN2 have no orientation' },
      { part: 'instance', what: 'boxes of EMAN2 have no instance id' },
      { part: 'run', what: 'in EMAN2, the name of the file names the tomogram' },
    ],
    parse: (content, source) => parse(content, source, { ...options, voxelSize, shape }),
    *format(runs) {
      const picks = yield* picksToWrite(runs);
      onlyRun(picks, name);
      const size = needVoxelSize(voxelSize, { place: name });
      const classes = [...picks.objects];
      const numbers = new Map(classes.map((object, number) => [object, number]));
      const grid =
        shape === undefined ? gridFrom(size) : gridAround(half(shape), { voxelSize: size, step: cube(size[2]) });
      const { boxSize = 32 } = options;
      const list = Object.fromEntries(classes.map((object, index) => [index, { boxsize: boxSize, name: object }]));
      yield shape === undefined ? '{"boxes_3d":[' : `{"apix_unbin":${JSON.stringify(size[2])},"boxes_3d":[`;
      yield* linesOf(picks.each(), ({ pick }, index) => {
        const [z, y, x] = toVoxel(grid, pick.position);
        // What EMAN2 itself says of boxes that a person placed.
        const origin = reviewMarkOf(pick) === 'added' ? 'manual' : 'cryoet-picks';
        const box = [x, y, z, origin, pick.score, numbers.get(pick.object)];
        return `${index === 0 ? '' : ','}${JSON.stringify(box)}`;
      });
      yield `],"class_list":${JSON.stringify(list)}}\n`;
    },
  });
}

type Reading = Omit<Eman2FormatOptions, 'voxelSize'> & { readonly voxelSize: Zyx | undefined };

function* parse(content: TextContent, source: string, options: Reading): Steps<RunPicks[]> {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  const value = yield* jsonSteps(bytes, { what: source, code, maxDepth: 200 });
  const json = checkSchema(schema, value, { what: source, code });
  const run = requireOption(options.run, { name: 'run', place: source });
  const grid = gridOf(json.apix_unbin, source, options);
  const names = new Map(Object.entries(json.class_list).map(([number, { name: object }]) => [number, object]));
  const picks: ParticlePick[] = [];
  let index = 0;
  yield* eachInPieces(json.boxes_3d, (value) => {
    const place = `${source}: box ${index++}`;
    const parsed = v.safeParse(box, value);
    if (!parsed.success)
      throw new CryoetPicksError(code, `${place}: expected x, y, z and more, found ${showJson(value)}`);
    const [x, y, z, , score, number] = parsed.output as [number, number, number, unknown, unknown, unknown];
    if (score !== undefined && !(typeof score === 'number' && Number.isFinite(score))) {
      throw new CryoetPicksError(code, `${place}: score is ${showJson(score)}; expected a finite number`);
    }
    const object = requireOption(names.get(String(number)) ?? options.object, { name: 'object', place });
    picks.push(pickFrom({ object, position: toPhysical(grid, [z, y, x]), score }, place));
  });
  return picks.length === 0 ? [] : [{ run, picks }];
}

function gridOf(unbinned: number | undefined, source: string, { voxelSize, shape }: Reading): VoxelPlacement {
  if (unbinned === undefined) return gridFrom(needVoxelSize(voxelSize, { place: source }));
  if (shape !== undefined && voxelSize !== undefined) {
    return gridAround(half(shape), { voxelSize, step: cube(unbinned) });
  }
  throw new CryoetPicksError(
    'invalid-option',
    `positions in ${source} are relative to the centre of the tomogram; give the option shape, in voxels, and the option voxelSize, in Å`,
    { option: shape === undefined ? 'shape' : 'voxelSize' },
  );
}

function half([z, y, x]: Zyx): Zyx {
  return [z / 2, y / 2, x / 2];
}

function cube(edge: number): Zyx {
  return [edge, edge, edge];
}
