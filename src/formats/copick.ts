import {
  type ParsePicksFileOptions,
  type PicksFile,
  parsePicksFile,
  picksFilePieces,
  picksFileSteps,
  picksIdentitySteps,
  withoutUntrustedRotations,
} from '../copick/picks-file.ts';
import { listNames } from '../copick/tree.ts';
import { optional, requireOptions, text } from '../core/arguments.ts';
import type { Steps } from '../core/concurrency.ts';
import type { TextContent } from '../core/text-pieces.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { rotationOf } from '../picks/rotation.ts';
import { requireOption } from './file-context.ts';
import { checkedFormat, fileWarner, type PicksFormat } from './format.ts';
import { onlyObject, onlyRun, picksToWrite } from './pick-fields.ts';

/** Options of {@link copickFormat}. */
export interface CopickFormatOptions {
  /** Run of a file that names none; in a copick project, the folder names it. */
  readonly run?: string | undefined;
  /** Object of a file that names none, and of a file written without picks. */
  readonly object?: string | undefined;
  /** @defaultValue `'cryoet-picks'` */
  readonly userId?: string | undefined;
  /** @defaultValue `'0'`, by convention a tool's */
  readonly sessionId?: string | undefined;
}

const name = 'copick JSON';

/**
 * A picks file of copick: the picks of one object in one run, in Å, with all fields. Rotations are omitted if the file says not
 * to trust them (`trust_orientation: false`). User, session, voxel spacing and unknown keys of the file do not belong to its
 * picks: `leftOut` lists them.
 *
 * This format is for single files; for a whole project use `openProject`. To edit a file and keep all its fields, use
 * `parsePicksFile` and `formatPicksFile` of `cryoet-picks/copick`.
 *
 * @example
 * ```ts
 * const text = formatPicks([{ run: 'TS_5_4', picks }], { format: copickFormat({ userId: 'me', sessionId: '1' }) });
 * ```
 */
export function copickFormat(options: CopickFormatOptions = {}): PicksFormat {
  requireOptions('copickFormat', options, {
    run: optional(text),
    object: optional(text),
    userId: optional(text),
    sessionId: optional(text),
  });
  const { userId = 'cryoet-picks', sessionId = '0' } = options;
  return checkedFormat({
    name,
    content: 'text',
    losses: [],
    keepsUnknown: true,
    *leftOut(content, source) {
      return notesOf(yield* fileSteps(content, { source, fallbackObject: options.object }));
    },
    *parse(content, source, reports) {
      const file = yield* fileSteps(content, { source, fallbackObject: options.object });
      const warn = fileWarner(source, reports);
      for (const message of file.warnings ?? []) warn('picks-file', `${source}: ${message}`);
      if (file.picks.length === 0) return [];
      const run = requireOption(file.runName ?? options.run, { name: 'run', place: source });
      return [{ run, picks: withoutUntrustedRotations(file) }];
    },
    *format(runs) {
      const checked = yield* picksToWrite(runs);
      const runName = onlyRun(checked, name) ?? options.run;
      const object = requireOption(onlyObject(checked, name) ?? options.object, { name: 'object', place: name });
      // `flatMap` takes a tenth of a second for a million picks, `concat` some milliseconds.
      const picks = ([] as ParticlePick[]).concat(...runs.map((one) => one.picks));
      yield* picksFilePieces({ object, userId, sessionId, runName, picks });
    },
  });
}

/** The file of a text, at once, or of bytes, in pieces. */
function* fileSteps(content: TextContent, options: ParsePicksFileOptions): Steps<PicksFile> {
  if (typeof content === 'string') return parsePicksFile(content, options);
  const identity = yield* picksIdentitySteps(content, options);
  return yield* picksFileSteps(content, { ...options, identity });
}

/** The fields of a file beside its picks, a line each. */
function notesOf({ picks, userId, sessionId, voxelSpacing, trustOrientation, unknown = {} }: PicksFile): string[] {
  const keys = Object.keys(unknown);
  const turned = picks.filter(({ transform }) => rotationOf(transform) !== undefined).length;
  return [
    ...(userId === '' ? [] : [`user: ${JSON.stringify(userId)} is not carried over`]),
    ...(sessionId === '' ? [] : [`session: ${JSON.stringify(sessionId)} is not carried over`]),
    ...(voxelSpacing === undefined ? [] : [`voxel spacing: ${voxelSpacing} Å is not carried over`]),
    ...(keys.length === 0 ? [] : [`other fields: ${listNames(keys)} of the file cannot be carried over`]),
    ...(trustOrientation !== false || turned === 0
      ? []
      : [`orientation: omitted, because the file says not to trust it (${turned} of ${picks.length} picks)`]),
  ];
}
