import { lags, type PlaneStatistics, quantileShares, rings } from './statistics.ts';

const colours = { real: '#d55e00', simulated: '#0072b2' } as const;
const panel = { width: 230, height: 170, gap: 62, top: 34 } as const;

interface Panel {
  readonly title: string;
  readonly xLabel: string;
  readonly x: readonly number[];
  readonly of: (statistics: PlaneStatistics) => readonly number[];
}

const mean = (rows: readonly (readonly number[])[]): readonly number[] =>
  rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length);

const middles = rings.slice(1).map((end, i) => (end + rings[i]!) / 2);

const panels: readonly Panel[] = [
  {
    title: 'quantiles, in deviations',
    xLabel: 'share of voxels below, 0.1 … 99.9 %, as log odds',
    x: quantileShares.map(logit),
    of: (s) => s.quantiles,
  },
  { title: 'correlation along x', xLabel: 'voxels', x: lags, of: (s) => mean(s.correlation['z x']) },
  { title: 'correlation along y', xLabel: 'voxels', x: lags, of: (s) => mean(s.correlation['z y']) },
  {
    title: 'correlation along z',
    xLabel: 'voxels',
    x: lags,
    of: (s) => mean([...s.correlation['y z'], ...s.correlation['x z']]),
  },
  { title: 'log₁₀ power, z planes', xLabel: 'cycles per voxel', x: middles, of: (s) => s.spectrum[0]! },
  { title: 'log₁₀ power, y planes', xLabel: 'cycles per voxel', x: middles, of: (s) => s.spectrum[1]! },
  { title: 'log₁₀ power, x planes', xLabel: 'cycles per voxel', x: middles, of: (s) => s.spectrum[2]! },
  {
    title: 'log₁₀ power, y planes',
    xLabel: 'degrees from kx (0.12–0.26 cycles per voxel)',
    x: Array.from({ length: 9 }, (_, i) => 10 * i + 5),
    of: (s) => s.tilts,
  },
];

/** Real and simulated statistics over each other, as an SVG. */
export function drawCurves(real: PlaneStatistics, simulated: readonly PlaneStatistics[]): string {
  const pitch = { x: panel.width + panel.gap, y: panel.height + panel.gap + panel.top };
  const drawn = panels.map((one, i) => {
    const [left, top] = [45 + (i % 4) * pitch.x, panel.top + 24 + Math.floor(i / 4) * pitch.y];
    return `<g transform="translate(${left},${top})">${drawPanel(one, { real, simulated })}</g>`;
  });
  const [width, height] = [4 * pitch.x, 2 * pitch.y + 10];
  const key = `<text x="45" y="20"><tspan fill="${colours.real}">● real (TS_100_3)</tspan>  <tspan fill="${colours.simulated}">● simulated, three seeds</tspan></text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="#ffffff"/>
${[key, ...drawn].join('\n')}
</svg>
`;
}

function drawPanel(
  { title, xLabel, x, of }: Panel,
  { real, simulated }: { readonly real: PlaneStatistics; readonly simulated: readonly PlaneStatistics[] },
): string {
  const all = [real, ...simulated].flatMap(of);
  const [low, high] = [Math.floor(2 * Math.min(...all)) / 2, Math.ceil(2 * Math.max(...all)) / 2];
  const [first, last] = [Math.min(...x), Math.max(...x)];
  const at = (i: number, value: number) => {
    const px = ((x[i]! - first) / (last - first)) * panel.width;
    const py = (1 - (value - low) / (high - low)) * panel.height;
    return `${px.toFixed(1)},${py.toFixed(1)}`;
  };
  const curve = (s: PlaneStatistics, colour: string, width: number) =>
    `<polyline points="${of(s)
      .map((value, i) => at(i, value))
      .join(' ')}" fill="none" stroke="${colour}" stroke-width="${width}"/>`;
  return [
    `<rect width="${panel.width}" height="${panel.height}" fill="none" stroke="#999"/>`,
    `<text y="-8" fill="#333">${title}</text>`,
    `<text x="${panel.width / 2}" y="${panel.height + 32}" text-anchor="middle" fill="#333">${xLabel}</text>`,
    `<text x="-5" y="10" text-anchor="end" fill="#333">${high}</text>`,
    `<text x="-5" y="${panel.height}" text-anchor="end" fill="#333">${low}</text>`,
    `<text y="${panel.height + 15}" fill="#333">${Number(first.toFixed(2))}</text>`,
    `<text x="${panel.width}" y="${panel.height + 15}" text-anchor="end" fill="#333">${Number(last.toFixed(2))}</text>`,
    ...simulated.map((s) => curve(s, colours.simulated, 1.2)),
    curve(real, colours.real, 2.2),
  ].join('');
}

/** The log of the odds: spreads shares near 0 and 1. */
function logit(share: number): number {
  return Math.log(share / (1 - share));
}
