import { flag, optional, type Rule, requireArgument, requireOptions, text } from '../core/arguments.ts';
import { mapOrdered } from '../core/concurrency.ts';
import { isCryoetPicksError } from '../core/errors.ts';
import type { FeaturesEntry } from './features.ts';
import type { FilamentsEntry } from './filament-sets.ts';
import type { NameFilter } from './layout.ts';
import type { PickSet } from './pick-sets.ts';
import type { Run } from './run.ts';
import type { SegmentationEntry } from './segmentations.ts';
import type { TomogramEntry } from './tomograms.ts';
import type { WaitOptions } from './tree.ts';
import {
  nameMatcher,
  parseUri,
  type SegmentationUri,
  segmentationFlags,
  spacingMatcher,
  splitOnce,
  type UriKind,
  type UriParts,
  type Uris,
} from './uri.ts';
import type { MeshEntry } from './user-session-files.ts';

/** The entries that a search returns, by kind. */
export interface UriEntries {
  readonly picks: PickSet;
  readonly filaments: FilamentsEntry;
  readonly mesh: MeshEntry;
  readonly segmentation: SegmentationEntry;
  readonly tomogram: TomogramEntry;
  readonly features: FeaturesEntry;
}

/** An entity that a URI found, with its run. */
export type Found<K extends UriKind> = UriEntries[K] & { readonly run: Run };

/** Options of `Project.find`. */
export interface FindOptions extends WaitOptions {
  /** Only in these runs, all of which must exist. @defaultValue all */
  readonly runs?: NameFilter;
  /** Also find what the overlay hides. @defaultValue false */
  readonly includeShadowed?: boolean | undefined;
}

interface ListOptions extends WaitOptions {
  readonly includeShadowed?: boolean | undefined;
}

/** How the entities of a kind are listed, and compared with a URI. */
interface Search<K extends UriKind> {
  readonly list: (run: Run, options: ListOptions) => Promise<UriEntries[K][]>;
  readonly matcher: (uri: Uris[K]) => (entry: UriParts[K]) => boolean;
}

const authored: Search<'picks' | 'filaments' | 'mesh'>['matcher'] = ({ syntax, ...uri }) => {
  const isObject = nameMatcher(uri.object, syntax);
  const isBy = authorMatcher({ syntax, ...uri });
  return (entry) => isObject(entry.object) && isBy(entry);
};

const searches: { readonly [K in UriKind]: Search<K> } = {
  picks: { list: (run, options) => run.pickSets(options), matcher: authored },
  filaments: { list: (run, options) => run.filaments(options), matcher: authored },
  mesh: { list: (run, options) => run.meshes(options), matcher: authored },
  segmentation: {
    list: (run, options) => run.segmentations(options),
    matcher: (uri) => {
      const isName = nameMatcher(uri.name, uri.syntax);
      const isBy = authorMatcher(uri);
      const isAt = spacingMatcher(uri.voxelSpacing, uri.syntax);
      return (entry) => isName(entry.name) && isBy(entry) && isAt(entry.voxelSpacing) && isOfKind(uri, entry.kind);
    },
  },
  tomogram: { list: (run, options) => run.tomograms(options), matcher: tomogramMatcher },
  features: {
    list: (run, options) => run.features(options),
    matcher: (uri) => {
      const isOf = tomogramMatcher(uri);
      const isFeature = nameMatcher(uri.featureType, uri.syntax);
      return (entry) => isOf(entry) && isFeature(entry.featureType);
    },
  },
};

function tomogramMatcher({ syntax, type, voxelSpacing }: Uris['tomogram']): (entry: UriParts['tomogram']) => boolean {
  const isType = nameMatcher(type, syntax);
  const isAt = spacingMatcher(voxelSpacing, syntax);
  return (entry) => isType(entry.type) && isAt(entry.voxelSpacing);
}

interface Author {
  readonly userId: string;
  readonly sessionId: string;
}

function authorMatcher({
  syntax,
  userId,
  sessionId,
}: Author & Pick<SegmentationUri, 'syntax'>): (by: Author) => boolean {
  const isUser = nameMatcher(userId, syntax);
  const isSession = nameMatcher(sessionId, syntax);
  return (by) => isUser(by.userId) && isSession(by.sessionId);
}

/** Whether a URI matches a kind of segmentation. A URI without a flag of the newer kinds matches the older ones only. */
function isOfKind({ multilabel, ...newer }: SegmentationUri, kind: SegmentationEntry['kind'] = 'binary'): boolean {
  const saysNothing = newer.instance === undefined && newer.panoptic === undefined;
  const { instance, panoptic } = saysNothing ? { instance: false, panoptic: false } : newer;
  const fits = (flag: boolean | undefined, of: typeof kind) => flag === undefined || flag === (kind === of);
  return fits(multilabel, 'multilabel') && fits(instance, 'instance') && fits(panoptic, 'panoptic');
}

/** All entities of a kind in some runs that match a URI; see `Project.find`. */
export async function findByUri<K extends UriKind>(
  runs: readonly Run[],
  { kind, uri, includeShadowed, signal }: ListOptions & { readonly kind: K; readonly uri: string },
): Promise<Found<K>[]> {
  const { list, matcher }: Search<K> = searches[kind];
  const matches = matcher(parseUri(kind, uri));
  const found: Found<K>[] = [];
  const errors: unknown[] = [];
  const listed = mapOrdered(
    runs,
    async (run, stop) => {
      try {
        return { run, entries: await list(run, { includeShadowed, signal: stop }) };
      } catch (error) {
        // The error has been reported already.
        stop.throwIfAborted();
        errors.push(error);
        return { run, entries: [] };
      }
    },
    { concurrency: 4, signal },
  );
  for await (const { run, entries } of listed) {
    for (const entry of entries) if (matches(entry as UriParts[K])) found.push({ ...entry, run });
  }
  if (runs.length > 0 && errors.length === runs.length) throw errors[0];
  return found;
}

/** The kinds of entities that copick's commands convert. */
export type ConvertedKind = Exclude<UriKind, 'tomogram' | 'features'>;

/** Options of {@link expandOutputUri}. */
export interface ExpandOutputUriOptions {
  /** URI of the input, and its kind. */
  readonly input: string;
  readonly inputKind: ConvertedKind;
  /** Kind of the output. */
  readonly kind: ConvertedKind;
  /** The user, if the URI names none. @defaultValue 'converter' */
  readonly command?: string | undefined;
  /** Whether each instance of the input gets an output of its own. @defaultValue false */
  readonly individual?: boolean | undefined;
}

/**
 * Completes the shorthand of an output URI from the URI of the input, as copick's commands do. A missing name becomes the
 * input's, a missing user the command's. A missing session becomes `{instance_id}` for individual outputs,
 * `{input_session_id}` for an input with patterns, otherwise `converted-001`. A missing spacing and kind of segmentation become
 * the input's. `/session` and `name/session` omit the user. A complete URI is returned unchanged.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for an input that is not a URI, or for two kinds of segmentation.
 * @example
 * ```ts
 * expandOutputUri('membrane', { input: 'ribosome:me/1', inputKind: 'picks', kind: 'mesh', command: 'hull' });
 * // 'membrane:hull/converted-001'
 * ```
 */
export function expandOutputUri(output: string, options: ExpandOutputUriOptions): string {
  const call = 'expandOutputUri';
  requireArgument(call, 'output', output, text);
  const {
    inputKind,
    kind,
    command,
    individual = false,
  } = requireOptions(call, options, {
    input: text,
    inputKind: convertedKind,
    kind: convertedKind,
    command: optional(text),
    individual: optional(flag),
  });
  const input = partsOf(inputKind, options.input);
  if (isComplete(output, kind)) return output;
  const given = shorthand(output, kind);
  const name = given.name || input.name;
  const session = individual ? '{instance_id}' : hasPattern(input) ? '{input_session_id}' : 'converted-001';
  const uri = `${name}:${given.userId || command || 'converter'}/${given.sessionId || session}`;
  if (kind !== 'segmentation') return uri;
  const inherited = input.voxelSpacing === '*' ? undefined : input.voxelSpacing;
  const voxelSpacing = given.voxelSpacing || inherited;
  const { multilabel, instance, panoptic } = given.saysType ? given : input;
  const types = Object.entries({ multilabel, instance, panoptic }).filter(([, value]) => value);
  return `${uri}${voxelSpacing ? `@${voxelSpacing}` : ''}${types.map(([type]) => `?${type}=true`).join('')}`;
}

const convertedKind: Rule = {
  expected: '"picks", "filaments", "mesh" or "segmentation"',
  isValid: (value) => ['picks', 'filaments', 'mesh', 'segmentation'].includes(value as string),
};

/** The parts of a URI of any convertible kind, under common names. */
type Parts = Partial<SegmentationUri> & Pick<SegmentationUri, 'syntax' | 'name' | 'userId' | 'sessionId'>;

function partsOf(kind: ConvertedKind, text: string): Parts {
  if (kind === 'segmentation') return parseUri('segmentation', text);
  const { object, ...rest } = parseUri(kind, text);
  return { ...rest, name: object };
}

function isComplete(output: string, kind: ConvertedKind): boolean {
  try {
    const { name, userId, sessionId, voxelSpacing } = partsOf(kind, output);
    return [name, userId, sessionId, voxelSpacing].every((part) => part !== '*');
  } catch (error) {
    if (!isCryoetPicksError(error, 'invalid-option')) throw error;
    return false;
  }
}

function hasPattern({ syntax, name, userId, sessionId }: Parts): boolean {
  return syntax === 'regex' || [name, userId, sessionId].some((part) => part.includes('*'));
}

type Shorthand = Partial<Parts> & { readonly saysType: boolean };

function shorthand(output: string, kind: ConvertedKind): Shorthand {
  const [text, query] = splitOnce(output, '?');
  const types = segmentationFlags(query, output);
  const at = kind === 'segmentation' ? text.lastIndexOf('@') : -1;
  const voxelSpacing = at < 0 ? undefined : text.slice(at + 1);
  const main = at < 0 ? text : text.slice(0, at);
  return { ...namesIn(main), voxelSpacing: voxelSpacing ?? '', ...types, saysType: Object.keys(types).length > 0 };
}

function namesIn(text: string): Partial<Parts> {
  const placeholder = text.trim();
  if (placeholder === '{input_session_id}' || placeholder === '{instance_id}') return { sessionId: placeholder };
  const [name, by] = splitOnce(text, ':');
  const [first, session] = splitOnce(by ?? text, '/');
  if (by !== undefined) return { name, userId: first, sessionId: session ?? '' };
  return session === undefined ? { name: text } : { name: first, sessionId: session };
}
