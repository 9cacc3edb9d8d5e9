import { addRun, type Growing, type Kept } from './component.ts';
import type { Plane, Sweep } from './sweep.ts';

/** The voxels of a growing component as runs, and their scores in the order of the runs. */
export class Foreground implements Kept {
  /** Plane, row, first column and end column of each run, one after the other. */
  readonly runs: number[] = [];
  readonly scores: number[] = [];

  /** Appends the shorter to the longer, so that a voxel moves only a few times however often components join. */
  join(other: Foreground | undefined): Foreground {
    if (!other) return this;
    const [into, from] = this.scores.length >= other.scores.length ? [this, other] : [other, this];
    for (const value of from.runs) into.runs.push(value);
    for (const score of from.scores) into.scores.push(score);
    return into;
  }
}

/** As {@link addRun}, and keeps the voxels as the component's {@link Foreground}. */
export function keepRun(
  component: Growing,
  plane: Plane,
  sweep: Sweep,
  index: number,
  row: number,
  start: number,
  end: number,
): void {
  addRun(component, plane, sweep, index, row, start, end);
  component.foreground ??= new Foreground();
  const { runs, scores } = component.foreground as Foreground;
  runs.push(index, row, start, end);
  let i = plane.offset + row * plane.rowStride + start * plane.columnStride;
  for (let column = start; column < end; column++, i += plane.columnStride) scores.push(plane.data[i]);
}
