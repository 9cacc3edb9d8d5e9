import { mapOrdered } from '../async.ts';
import type { FeaturesEntry } from './features.ts';
import type { FilamentsEntry } from './filaments.ts';
import type { MeshEntry } from './meshes.ts';
import type { NameFilter } from './names.ts';
import type { PickSet } from './pick-sets.ts';
import type { Run } from './run.ts';
import type { SegmentationEntry } from './segmentations.ts';
import type { TomogramEntry } from './tomograms.ts';
import type { WaitOptions } from './tree.ts';
import { parseUri, type SegmentationUri, type UriKind, type UriParts, type Uris } from './uri.ts';
import { nameMatcher, spacingMatcher } from './uri-match.ts';

/** What is found, by kind of thing. */
export interface UriEntries {
  readonly picks: PickSet;
  readonly filaments: FilamentsEntry;
  readonly mesh: MeshEntry;
  readonly segmentation: SegmentationEntry;
  readonly tomogram: TomogramEntry;
  readonly features: FeaturesEntry;
}

/** Something that a URI found, with the run it is of. */
export type Found<K extends UriKind> = UriEntries[K] & { readonly run: Run };

/** Options of `Project.find`. */
export interface FindOptions extends WaitOptions {
  /** Only in these runs, all of which must be there. @defaultValue all */
  readonly runs?: NameFilter;
  /** Find too what the overlay hides. @defaultValue false */
  readonly includeShadowed?: boolean | undefined;
}

interface ListOptions extends WaitOptions {
  readonly includeShadowed?: boolean | undefined;
}

/** How all things of a kind are listed, and what a URI asks of one. */
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

/** A URI that says nothing of the newer types asks for the older ones. */
function isOfKind({ multilabel, ...newer }: SegmentationUri, kind: SegmentationEntry['kind'] = 'binary'): boolean {
  const saysNothing = newer.instance === undefined && newer.panoptic === undefined;
  const { instance, panoptic } = saysNothing ? { instance: false, panoptic: false } : newer;
  const fits = (flag: boolean | undefined, of: typeof kind) => flag === undefined || flag === (kind === of);
  return fits(multilabel, 'multilabel') && fits(instance, 'instance') && fits(panoptic, 'panoptic');
}

/** All things of a kind in some runs that a URI asks for; see `Project.find`. */
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
        // It was reported where it was met.
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
