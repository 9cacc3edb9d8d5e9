import type { Zyx } from '../space/zyx.ts';

/** What ImageJ writes into the description of the first page, and the resolution tags beside it. */
export interface ImagejTags {
  readonly description: string;
  /** Pixels per unit; `NaN` where not given. */
  readonly xResolution: number;
  readonly yResolution: number;
}

/** The lines `key=value` of the description; none where ImageJ has not written it. */
export function imagejFields(description: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  if (!description.startsWith('ImageJ=')) return fields;
  for (const line of description.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) fields.set(line.slice(0, at), line.slice(at + 1).trim());
  }
  return fields;
}

const IN_ANGSTROM: Readonly<Record<string, number>> = {
  a: 1,
  å: 1,
  angstrom: 1,
  ångström: 1,
  nm: 10,
  nanometer: 10,
  um: 1e4,
  µm: 1e4,
  μm: 1e4,
  micron: 1e4,
  mm: 1e7,
  cm: 1e8,
  m: 1e10,
  inch: 2.54e8,
};

/** The voxel size in Å along z, y, x as ImageJ reads it, or why there is none. */
export function imagejVoxelSize(
  { description, xResolution, yResolution }: ImagejTags,
  warnings: string[],
): Zyx | undefined {
  const fields = imagejFields(description);
  // Inches and centimetres of the tags alone are those of a printer.
  const unit = fields
    .get('unit')
    ?.replace(/\\u([0-9a-f]{4})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  const name = unit?.toLowerCase().replace(/(?<=.{4})s$/, '');
  const angstrom = name !== undefined && Object.hasOwn(IN_ANGSTROM, name) ? IN_ANGSTROM[name] : undefined;
  if (unit === undefined || angstrom === undefined) {
    warnings.push(unit === undefined ? 'no unit of length is given' : `the unit "${unit}" is no length`);
    return undefined;
  }
  const spacing = Math.abs(Number(fields.get('spacing') ?? 1));
  const voxelSize: Zyx = [spacing * angstrom, angstrom / yResolution, angstrom / xResolution];
  if (!voxelSize.every((length) => Number.isFinite(length) && length > 0)) {
    warnings.push('the resolution tags or the spacing of slices give no length');
    return undefined;
  }
  if (!fields.has('spacing')) {
    warnings.push(
      `no spacing of slices is given; 1 ${unit} is assumed, as ImageJ does: give "voxelSize" if that is wrong`,
    );
  }
  return [nearRound(voxelSize[0]), nearRound(voxelSize[1]), nearRound(voxelSize[2])];
}

/** Resolutions are fractions of 32-bit integers: 10.52 Å comes back as 10.5200000002. */
function nearRound(length: number): number {
  const rounded = Number(length.toPrecision(8));
  return Math.abs(rounded - length) <= 2e-9 * length ? rounded : length;
}

/** ImageJ's linear calibration of grey values, `value = c0 + c1 · stored`: how it keeps signed integers. */
export function imagejCalibration(description: string): { readonly c0: number; readonly c1: number } | undefined {
  const fields = imagejFields(description);
  const [c0, c1] = [Number(fields.get('c0')), Number(fields.get('c1'))];
  const isLinear = fields.get('cf') === '0' && Number.isFinite(c0) && Number.isFinite(c1) && c1 !== 0;
  return isLinear && (c0 !== 0 || c1 !== 1) ? { c0, c1 } : undefined;
}
