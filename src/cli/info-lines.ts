import type { PickableObject, ProjectConfig } from '../copick/config.ts';
import { formatSpacing } from '../copick/names.ts';
import { formatZyx } from '../space/zyx.ts';
import { counted } from './counts.ts';
import { describeProblem } from './failure.ts';
import { listingLines } from './listing-lines.ts';
import type { InfoDocument, RunInfo, TomogramInfo } from './survey.ts';
import { formatTable } from './table.ts';

/** What a project holds, as lines for people. */
export function infoLines(document: InfoDocument, project: ProjectConfig): string[] {
  const { config, name, objects, runs, problems } = document;
  return [
    `${config}${name === undefined ? '' : `: ${name}`}`,
    `${counted(runs.length, 'run')}; ${describeRoots(project)}`,
    '',
    ...objectLines(objects),
    '',
    ...tomogramLines(runs),
    '',
    ...picksLines(runs),
    ...listingLines(document),
    ...(problems.length > 0 ? ['', `${counted(problems.length, 'problem')}:`] : []),
    ...problems.map((problem) => `  ${describeProblem(problem)}`),
  ];
}

/** Where a project lies, as its config says; a query string may hold a secret, and is not shown. */
function describeRoots(config: ProjectConfig): string {
  const overlay = config.overlayRoot === undefined ? 'read-only' : `overlay ${withoutQuery(config.overlayRoot)}`;
  if (config.type === 'mlcroissant') return `${overlay}, Croissant ${withoutQuery(config.croissantUrl)}`;
  if (config.type === 'cryoet_data_portal') return `${overlay}, portal datasets ${config.datasetIds.join(', ')}`;
  return config.staticRoot === undefined ? overlay : `${overlay}, static ${withoutQuery(config.staticRoot)}`;
}

function withoutQuery(root: string): string {
  return root.includes('://') ? root.replace(/\?.*$/, '').replace(/:\/\/[^/@]*@/, '://') : root;
}

function objectLines(objects: readonly PickableObject[]): string[] {
  const rows = objects.map(({ name, radius, label, isParticle }) => [
    name,
    radius ?? '–',
    label ?? '–',
    isParticle ? 'particle' : 'segmented',
  ]);
  return formatTable({ header: ['object', 'radius Å', 'label', 'kind'], rows });
}

/** One line for all runs whose tomograms are alike. */
function tomogramLines(runs: readonly RunInfo[]): string[] {
  const groups = new Map<string, string[]>();
  const cellsOf = ({ type, voxelSpacing, levels }: TomogramInfo) => {
    const [finest] = levels;
    const size =
      finest === undefined ? '–' : [...new Set(finest.voxelSize.map((length) => length.toFixed(3)))].join('×');
    const shape = finest === undefined ? 'cannot be opened' : formatZyx(finest.shape);
    return [`${type}@${formatSpacing(voxelSpacing)}`, shape, size, finest?.dtype ?? '–', String(levels.length)];
  };
  for (const run of runs) {
    for (const tomogram of run.tomograms) {
      const key = JSON.stringify(cellsOf(tomogram));
      groups.set(key, [...(groups.get(key) ?? []), run.name]);
    }
  }
  const rows = [...groups].map(([key, names]) => [...(JSON.parse(key) as string[]), names.length, shortList(names)]);
  const header = ['tomogram', 'voxels z×y×x', 'voxel size Å', 'type', 'levels', 'runs', ''];
  return formatTable({ header, rows });
}

/** One line per user, session and object, over all runs. */
function picksLines(runs: readonly RunInfo[]): string[] {
  const groups = new Map<string, { runs: number; picks: number }>();
  for (const { userId, sessionId, object, count = 0 } of runs.flatMap(({ picks }) => picks)) {
    const key = JSON.stringify([userId || '–', sessionId || '–', object]);
    const group = groups.get(key) ?? { runs: 0, picks: 0 };
    groups.set(key, { runs: group.runs + 1, picks: group.picks + count });
  }
  const rows = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  return formatTable({
    header: ['user', 'session', 'object', 'runs', 'picks'],
    rows: rows.map(([key, group]) => [...(JSON.parse(key) as string[]), group.runs, group.picks]),
  });
}

function shortList(names: readonly string[]): string {
  return names.length <= 4 ? names.join(', ') : `${names.slice(0, 3).join(', ')}, … ${names.at(-1)}`;
}
