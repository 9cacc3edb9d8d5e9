import { CryoetPicksError } from '../errors.ts';
import type { Point } from '../space/point.ts';
import { formatExactJson } from './exact-json.ts';
import type { FilamentCurve } from './filament-curve.ts';
import { hasStaleCurve } from './filament-fit.ts';
import { checkIds, type Filament, type FilamentsFile } from './filaments-file.ts';
import { headOf } from './file-head.ts';

/**
 * Writes a filaments file as copick does, with an indent of four. Unknown keys and curves of unknown kinds come back unchanged; a
 * curve of a known kind that no longer matches the points of its filament is left out, as copick leaves it out.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` with the index of a filament that has fewer than two points, an id below 1 or of
 *   another one, a number that is not finite, or a radius that is not above 0.
 * @example
 * ```ts
 * const text = formatFilamentsFile({ object: 'actin', userId: 'me', sessionId: '1', filaments });
 * ```
 */
export function formatFilamentsFile(file: FilamentsFile): string {
  const what = `the filaments of "${file.object}"`;
  file.filaments.forEach((filament, index) => {
    checkFilament(filament, `${what}: filament ${index}`);
  });
  checkIds(
    file.filaments.map(({ instanceId }) => instanceId),
    what,
  );
  const json = {
    ...headOf(file),
    version: file.formatVersion ?? 1,
    filaments: file.filaments.map(formatFilament),
    ...file.unknown,
  };
  return formatExactJson(json, 4);
}

function formatFilament(filament: Filament): Record<string, unknown> {
  const { instanceId, points, polarityKnown = false, score = 1, radius, metadata = {}, curve, unknown } = filament;
  return {
    instance_id: instanceId,
    points: points.map(formatPoint),
    polarity_known: polarityKnown,
    score,
    radius: radius ?? null,
    metadata,
    curve: curve === undefined || hasStaleCurve(filament) ? null : formatCurve(curve),
    ...unknown,
  };
}

function formatCurve({ kind, controlPoints, unknown, ...numbers }: FilamentCurve): Record<string, unknown> {
  const { step, alpha, degree, knots, smoothing } = numbers;
  // What is undefined is no key of the JSON.
  return { kind, control_points: controlPoints.map(formatPoint), step, alpha, degree, knots, smoothing, ...unknown };
}

function formatPoint({ x, y, z }: Point): number[] {
  return [x, y, z];
}

function checkFilament({ instanceId, points, score = 1, radius = 1, curve }: Filament, what: string): void {
  const refuse = (wrong: string) => new CryoetPicksError('invalid-picks', `${what} ${wrong}`);
  if (!((typeof instanceId === 'bigint' || Number.isSafeInteger(instanceId)) && instanceId >= 1)) {
    throw refuse(`has the instance id ${instanceId}, expected a whole number from 1 on`);
  }
  if (points.length < 2) throw refuse(`has ${points.length} points, expected two or more`);
  const lost = points.findIndex((point) => !formatPoint(point).every(Number.isFinite));
  if (lost >= 0) throw refuse(`has point ${lost} at ${formatPoint(points[lost]!).join(', ')} Å, which is no place`);
  if (!Number.isFinite(score)) throw refuse(`has a score of ${score}, expected a finite number`);
  if (!(radius > 0 && Number.isFinite(radius))) throw refuse(`has a radius of ${radius} Å, expected a length above 0`);
  if (curve !== undefined && !isAllFinite(curve))
    throw refuse(`has a curve of kind "${curve.kind}" with a number that is not finite`);
}

/** True if JSON can hold all numbers of a curve: it writes `null` for what is not finite, which nobody reads. */
function isAllFinite({
  controlPoints,
  step,
  alpha = 0,
  degree = 0,
  smoothing = 0,
  knots = [],
}: FilamentCurve): boolean {
  return [step, alpha, degree, smoothing, ...knots, ...controlPoints.flatMap(formatPoint)].every(Number.isFinite);
}
