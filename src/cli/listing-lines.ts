import { formatSpacing } from '../copick/names.ts';
import type { AuthoredInfo } from './listings.ts';
import type { InfoDocument } from './survey.ts';
import { formatTable } from './table.ts';

/** A table for each kind of thing that the project has beside tomograms and picks, an empty line before each. */
export function listingLines({ runs, objectMaps }: InfoDocument): string[] {
  const features = runs.flatMap((run) => run.features);
  const segmentations = runs.flatMap((run) => run.segmentations);
  return [
    ...groupTable(['features', 'of tomogram'], features, ({ featureType, type, voxelSpacing }) => [
      featureType,
      `${type}@${formatSpacing(voxelSpacing)}`,
    ]),
    ...groupTable(['user', 'session', 'segmentation', 'kind', 'spacing Å'], segmentations, (one) => {
      return [...ownerOf(one), one.name, one.kind, formatSpacing(one.voxelSpacing)];
    }),
    ...authoredTable(
      'mesh',
      runs.flatMap((run) => run.meshes),
    ),
    ...authoredTable(
      'filaments',
      runs.flatMap((run) => run.filaments),
    ),
    ...(objectMaps.length === 0 ? [] : ['', `density maps: ${objectMaps.map(({ object }) => object).join(', ')}`]),
  ];
}

function authoredTable(what: string, entries: readonly AuthoredInfo[]): string[] {
  return groupTable(['user', 'session', what], entries, (one) => [...ownerOf(one), one.object]);
}

function ownerOf({ userId, sessionId }: { readonly userId: string; readonly sessionId: string }): [string, string] {
  return [userId || '–', sessionId || '–'];
}

/** One line for all that have the same cells, and in how many runs they are; nothing where there are none. */
function groupTable<T>(header: readonly string[], entries: readonly T[], cellsOf: (entry: T) => string[]): string[] {
  if (entries.length === 0) return [];
  const counts = new Map<string, number>();
  for (const entry of entries) {
    const key = JSON.stringify(cellsOf(entry));
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const rows = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    '',
    ...formatTable({
      header: [...header, 'runs'],
      rows: rows.map(([key, runs]) => [...(JSON.parse(key) as string[]), runs]),
    }),
  ];
}
