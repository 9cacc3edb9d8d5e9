import type { Point } from '../entry/index.ts';
import type { Live } from './live.ts';
import { movedThresholds, type State, UNSAVED } from './state.ts';

/** What an address says, in its fragment. */
export interface Place {
  readonly run?: string | undefined;
  readonly tomogram?: string | undefined;
  readonly set?: string | undefined;
  readonly truthSet?: string | undefined;
  readonly position?: Point | undefined;
  readonly center?: Point | undefined;
  readonly zoom?: number | undefined;
  readonly object?: string | undefined;
  /** In Å, of files that do not say theirs. */
  readonly voxelSize?: number | undefined;
  readonly thresholds: Readonly<Record<string, number>>;
  readonly hidden: readonly string[];
}

/** The fragment of the address that shows the same: `#run=TS_1&at=…`. */
export function formatPlace(state: State): string {
  const query = new URLSearchParams();
  const add = (name: string, value: string | undefined) => value !== undefined && query.append(name, value);
  add('run', state.run);
  add('tomogram', state.tomogram);
  add('picks', state.set === UNSAVED ? undefined : state.set);
  add('truth', state.truthSet);
  if (state.grid) {
    add('at', formatPoint(state.position));
    add('center', formatPoint(state.camera.center));
    add('zoom', String(Number(state.camera.zoom.toPrecision(5))));
  }
  add('object', state.object);
  add('voxel-size', state.voxelSize?.toString());
  for (const [object, threshold] of Object.entries(movedThresholds(state)))
    add(`threshold.${object}`, String(threshold));
  for (const object of state.hidden) add('hidden', object);
  return `#${query}`;
}

function formatPoint({ x, y, z }: Point): string {
  return [x, y, z].map((value) => Number(value.toFixed(2))).join(',');
}

/** Reads a fragment; what cannot be understood is left out. */
export function parsePlace(fragment: string): Place {
  const query = new URLSearchParams(fragment.replace(/^#/, ''));
  const named = (name: string) => query.get(name) ?? undefined;
  const thresholds: [string, number][] = [];
  for (const [name, value] of query) {
    const threshold = numberOf(value);
    if (name.startsWith('threshold.') && threshold !== undefined) {
      thresholds.push([name.slice('threshold.'.length), threshold]);
    }
  }
  const zoom = numberOf(named('zoom'));
  const voxelSize = numberOf(named('voxel-size'));
  return {
    run: named('run'),
    tomogram: named('tomogram'),
    set: named('picks'),
    truthSet: named('truth'),
    position: parsePoint(named('at')),
    center: parsePoint(named('center')),
    zoom: zoom !== undefined && zoom > 0 ? zoom : undefined,
    object: named('object'),
    voxelSize: voxelSize !== undefined && voxelSize > 0 ? voxelSize : undefined,
    thresholds: Object.fromEntries(thresholds),
    hidden: query.getAll('hidden'),
  };
}

function parsePoint(text: string | undefined): Point | undefined {
  const numbers = text?.split(',').map(numberOf) ?? [];
  if (numbers.length !== 3 || numbers.includes(undefined)) return undefined;
  const [x, y, z] = numbers as [number, number, number];
  return { x, y, z };
}

/** The finite number that a text is; `Number` takes an empty one for 0. */
function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** Keeps the fragment of the address up to date. */
export function followAddress(live: Live): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  live.watch(
    ['run', 'tomogram', 'set', 'truthSet', 'position', 'camera', 'object', 'thresholds', 'hidden', 'grid', 'voxelSize'],
    () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (live.state.run !== undefined) history.replaceState(null, '', formatPlace(live.state));
      }, 300);
    },
  );
}
