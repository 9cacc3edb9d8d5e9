import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FilamentCurve } from '../../src/entry/copick.ts';
import type { Point } from '../../src/entry/index.ts';

type Triple = readonly [number, number, number];

/** A curve as copick writes it. */
export interface JsonCurve {
  readonly kind: string;
  readonly control_points: readonly Triple[];
  readonly step: number;
  readonly alpha?: number | null;
  readonly degree?: number | null;
  readonly knots?: readonly number[] | null;
}

interface Vectors {
  readonly uris: {
    /** Kind, text, and what copick parses it as, null where it refuses. */
    readonly parsed: readonly (readonly [string, string, Readonly<Record<string, unknown>> | null])[];
    /** Name, glob, whether they match. */
    readonly patterns: readonly (readonly [string, string, boolean])[];
    /** Spacing, text, syntax, whether they match. */
    readonly spacings: readonly (readonly [number, string, 'glob' | 'regex', boolean])[];
    /** Output, input, their kinds (input's first), command, whether many, and what copick makes of it, null where it refuses. */
    readonly expanded: readonly (readonly [string, string, string, string, string | null, boolean, string | null])[];
    /** Kind, fields, text. */
    readonly serialized: readonly (readonly [string, Readonly<Record<string, never>>, string])[];
  };
  readonly filaments: {
    /** Curve, its points, its anchors. */
    readonly curves: readonly (readonly [JsonCurve, readonly Triple[], readonly Triple[]])[];
    /** Curve, whether copick takes it. */
    readonly broken: readonly (readonly [JsonCurve, boolean])[];
    /** Number of the curve, by how much which of its points moved along all axes (null: turned round), whether it is current. */
    readonly current: readonly (readonly [number, number | null, number, boolean])[];
    /** Points, and the curve that copick would edit them by. */
    readonly editable: readonly (readonly [readonly Triple[], JsonCurve])[];
    /** Points, or the number of a curve; spacing, anchor, positions, rotations. */
    readonly sampled: readonly (readonly [
      number | readonly Triple[],
      number,
      'center' | 'start',
      readonly Triple[],
      readonly (readonly Triple[])[],
    ])[];
  };
}

/** What the released copick makes of URIs, patterns and curves; see test/fixtures/make_copick_vectors.py. */
export const copickVectors: Vectors = JSON.parse(
  readFileSync(fileURLToPath(new URL('../fixtures/copick-vectors.json', import.meta.url)), 'utf8'),
);

export function toPoint([x, y, z]: Triple): Point {
  return { x, y, z };
}

/** A curve as this library has it. */
export function toCurve({ kind, control_points, step, alpha, degree, knots }: JsonCurve): FilamentCurve {
  return {
    kind,
    step,
    controlPoints: control_points.map(toPoint),
    alpha: alpha ?? undefined,
    degree: degree ?? undefined,
    knots: knots ?? undefined,
  };
}
