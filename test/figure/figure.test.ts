import { decode } from 'fast-png';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { describe, expect, it } from 'vitest';
import { figureFormat, renderFigure } from '../../src/entry/figure.ts';
import { toPhysical, type VolumeSource, type VoxelGrid, type Zyx } from '../../src/entry/index.ts';
import { glyphOf } from '../../src/figure/canvas.ts';
import { formatLength, layOut, scaleBarLength } from '../../src/figure/figure.ts';
import { contrastOf, readSlice, resizePlane, toGrey } from '../../src/figure/slice.ts';
import { boxShape, voxelCount } from '../../src/space/grid.ts';
import { sourceOf } from '../support/volumes.ts';

const red = [250, 0, 0] as const;
const green = [0, 250, 0] as const;
const objects = [
  { name: 'ribosome', color: red, radius: 150 },
  { name: 'apo-ferritin', color: green, radius: 60 },
];

function sourceBy(grid: VoxelGrid, value: (i: number) => number = (i) => (i * 7919) % 101): VolumeSource {
  const data = Float32Array.from({ length: voxelCount(grid.shape) }, (_, i) => value(i));
  return sourceOf(data, grid.shape, grid);
}

/** Pixels of exactly this colour. */
function pixelsOf(png: Uint8Array, [red, green, blue]: readonly number[]): [x: number, y: number][] {
  const { data, width } = decode(png);
  const found: [number, number][] = [];
  for (let i = 0; i < data.length; i += 3) {
    if (data[i] !== red || data[i + 1] !== green || data[i + 2] !== blue) continue;
    found.push([(i / 3) % width, Math.floor(i / 3 / width)]);
  }
  return found;
}

const isotropic: VoxelGrid = { shape: [40, 60, 80], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } };
const anisotropic: VoxelGrid = { shape: [20, 120, 40], voxelSize: [20, 5, 20], origin: { x: -300, y: 55, z: 1000 } };

describe('renderFigure', () => {
  it.each([2.5, Number.NaN, 0, -1, Number.POSITIVE_INFINITY])('renderFigure throws for %s slices', async (slices) => {
    await expect(renderFigure(sourceBy(isotropic), { picks: [], objects, slices })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining(`slices must be a whole number ≥ 1, found ${slices}`),
    });
  });

  it.each([
    ['isotropic', isotropic],
    ['anisotropic and translated', anisotropic],
  ])('renderFigure draws a ring where the plane of a slice cuts the sphere (%s)', async (_, grid) => {
    const [depth, height, width] = grid.shape;
    const slice = Math.floor(depth / 2);
    const position = toPhysical(grid, [slice, height / 2, width / 2]);
    const away = 90;
    const pick = { object: 'ribosome', position: { ...position, z: position.z + away }, score: 1 };
    const png = await renderFigure(sourceBy(grid), { picks: [pick], objects, slices: 1, title: '' });

    const { panels, pitch } = layOut(grid, { slices: 1, legend: [''], title: '' });
    const [panel] = panels;
    const centre = [
      panel.left + ((width / 2 + 0.5) * panel.width) / width - 0.5,
      panel.top + ((height / 2 + 0.5) * panel.height) / height - 0.5,
    ];
    const radius = Math.sqrt(150 ** 2 - away ** 2) / pitch;
    const ring = pixelsOf(png, red)
      .filter(([x, y]) => y >= panel.top && y < panel.top + panel.height && x < panel.left + panel.width)
      .map(([x, y]) => Math.hypot(x - centre[0], y - centre[1]));
    expect(ring.length).toBeGreaterThan(Math.PI * radius);
    expect(Math.min(...ring)).toBeGreaterThan(radius - 2);
    expect(Math.max(...ring)).toBeLessThan(radius + 2);
  });

  it('renderFigure counts a particle that no slice cuts in the legend, and draws no ring', async () => {
    const far = { object: 'apo-ferritin', position: { x: 400, y: 100, z: 20 }, score: 1 };
    const picture = await renderFigure(sourceBy(isotropic), { picks: [far], objects });
    const empty = await renderFigure(sourceBy(isotropic), { picks: [], objects });
    const top = layOut(isotropic, { slices: 3, legend: [''], title: '' }).side.top;
    expect(pixelsOf(picture, green).filter(([, y]) => y < top)).toEqual([]);
    expect(pixelsOf(picture, green)).toEqual(pixelsOf(empty, green));
    expect(picture).not.toEqual(empty);
  });

  it('renderFigure shows every object in the legend, right of the slice across y', async () => {
    const png = await renderFigure(sourceBy(isotropic), { picks: [], objects });
    const { side } = layOut(isotropic, { slices: 3, legend: [''], title: '' });
    for (const { color } of objects) {
      const swatch = pixelsOf(png, color);
      expect(swatch.length).toBeGreaterThan(50);
      expect(Math.min(...swatch.map(([x]) => x))).toBeGreaterThan(side.left + side.width);
      expect(Math.min(...swatch.map(([, y]) => y))).toBeGreaterThanOrEqual(side.top);
    }
  });

  it('renderFigure draws the truth as a dashed ring outside of the pick', async () => {
    const particle = { object: 'ribosome', position: { x: 400, y: 300, z: 200 }, score: 1 };
    const ringPixels = async (picks: (typeof particle)[], truth: (typeof particle)[]) => {
      const png = await renderFigure(sourceBy(isotropic), { picks, truth, objects, slices: 1 });
      const { panels } = layOut(isotropic, { slices: 1, legend: [''], title: '' });
      return pixelsOf(png, red).filter(([x, y]) => x < panels[0].width && y < panels[0].top + panels[0].height);
    };
    const pick = await ringPixels([particle], []);
    const truth = await ringPixels([], [particle]);
    expect(truth.length).toBeGreaterThan(20);
    expect(truth.length).toBeLessThan(pick.length);
    const inside = new Set(pick.map(String));
    expect(truth.filter((pixel) => inside.has(String(pixel)))).toEqual([]);
  });

  it('renderFigure reads the planes it shows and nothing else', async () => {
    const source = sourceBy({ ...isotropic, shape: [64, 48, 48] });
    const read: Zyx[] = [];
    const counting: VolumeSource = {
      grid: source.grid,
      read(box, options) {
        read.push(boxShape(box));
        return source.read(box, options);
      },
    };
    await renderFigure(counting, { picks: [], objects });
    expect(read).toEqual([
      [3, 48, 48],
      [3, 48, 48],
      [3, 48, 48],
      [64, 3, 48],
    ]);
  });

  it.each([
    ['one voxel', { ...isotropic, shape: [1, 1, 1] as Zyx }, () => 1],
    ['constant', isotropic, () => 3],
    ['all NaN', isotropic, () => Number.NaN],
    ['some NaN and infinity', isotropic, (i: number) => [1, Number.NaN, Number.POSITIVE_INFINITY, 2][i % 4]],
  ])('renderFigure draws a volume that is %s', async (_, grid, value) => {
    const png = await renderFigure(sourceBy(grid, value), { picks: [], objects });
    expect(decode(png)).toMatchObject({ channels: 3, depth: 8 });
  });

  it('renderFigure refuses a pick of an unknown object, naming it', async () => {
    const picks = [{ object: 'proteasome', position: { x: 0, y: 0, z: 0 }, score: 1 }];
    await expect(renderFigure(sourceBy(isotropic), { picks, objects })).rejects.toThrow(
      'cannot draw a pick of "proteasome": its colour and radius are unknown; known are "ribosome", "apo-ferritin"',
    );
  });

  it('renderFigure stops with the reason of its signal', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(renderFigure(sourceBy(isotropic), { picks: [], objects, signal })).rejects.toThrow('enough');
  });
});

describe('renderFigure as SVG', () => {
  type Element = Readonly<Record<string, string>>;
  interface Svg {
    readonly svg: Element & {
      readonly defs: { readonly clipPath: Element[] };
      readonly image: Element[];
      readonly circle: Element[];
      readonly rect: Element[];
      readonly text: Element[];
    };
  }
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '',
    trimValues: false,
    isArray: (name) => ['clipPath', 'image', 'circle', 'rect', 'text'].includes(name),
  });
  const pick = { object: 'ribosome', position: { x: 400, y: 300, z: 200 }, score: 1 };
  const truth = [{ ...pick, object: 'apo-ferritin' }];
  const draw = (title: string) =>
    renderFigure(sourceBy(isotropic), { picks: [pick], truth, objects, title, slices: 1, format: 'svg' });
  const read = async (title = 'a title') => {
    const text = new TextDecoder().decode(await draw(title));
    expect(XMLValidator.validate(text)).toBe(true);
    return (parser.parse(text) as Svg).svg;
  };

  it('an SVG figure holds the slices as PNG of the size of their panels', async () => {
    const { image, width, height } = await read();
    const layout = layOut(isotropic, { slices: 1, legend: ['', ''], title: '' });
    const panels = [layout.panels[0]!, layout.side];
    expect(image).toHaveLength(2);
    image.forEach(({ x, y, href }, i) => {
      const { left, top, width, height } = panels[i]!;
      expect([Number(x), Number(y)]).toEqual([left, top]);
      const png = Buffer.from(href!.replace('data:image/png;base64,', ''), 'base64');
      expect(decode(png)).toMatchObject({ width, height, channels: 1, depth: 8 });
    });
    const raster = await renderFigure(sourceBy(isotropic), {
      picks: [pick],
      truth,
      objects,
      title: 'a title',
      slices: 1,
    });
    expect([Number(width), Number(height)]).toEqual([decode(raster).width, decode(raster).height]);
  });

  it('an SVG figure draws rings as circles where the PNG has them, those of the truth dashed', async () => {
    const { circle } = await read();
    const { panels, pitch } = layOut(isotropic, { slices: 1, legend: [''], title: '' });
    const rings = circle.filter(({ stroke }) => stroke === 'rgb(250,0,0)');
    const [above] = rings;
    expect(Number(above!.cx)).toBeCloseTo(panels[0]!.left + (40.5 * panels[0]!.width) / 80, 1);
    expect(Number(above!.cy)).toBeCloseTo(panels[0]!.top + (30.5 * panels[0]!.height) / 60, 1);
    expect(Number(above!.r)).toBeCloseTo(150 / pitch, 1);
    expect(above!['stroke-dasharray']).toBeUndefined();
    // One in each panel, and one in the legend.
    expect(rings).toHaveLength(3);
    const dashed = circle.filter((one) => one['stroke-dasharray'] !== undefined);
    expect(new Set(dashed.map(({ stroke }) => stroke))).toEqual(new Set(['rgb(0,250,0)']));
  });

  it('an SVG figure holds text as text, with reserved characters escaped', async () => {
    const { text } = await read('a <b> & "c" \u0007');
    const lines = text.map((line) => line['#text']);
    expect(lines[0]).toBe('a <b> & "c" ?');
    expect(lines).toContain('ribosome         1 picks     0 in truth');
  });

  it('renderFigure throws for an unknown format', async () => {
    const options = { picks: [], objects, format: 'jpg' as 'svg' };
    await expect(renderFigure(sourceBy(isotropic), options)).rejects.toMatchObject({
      code: 'invalid-option',
      message: 'format "jpg" is unknown; known: "png", "svg"',
    });
  });
});

describe('figureFormat', () => {
  it.each([
    ['picks.png', 'png'],
    ['out/Picks.SVG', 'svg'],
  ])('figureFormat goes by the ending: %s is %s', (path, format) => {
    expect(figureFormat(path)).toBe(format);
  });

  it.each(['picks.jpg', 'picks', 'png', 'picks.png.gz'])('figureFormat refuses %s', (path) => {
    expect(() => figureFormat(path)).toThrow(`cannot draw a figure as ${path}: its name must end in .png or .svg`);
  });
});

describe('slices', () => {
  it('slices are means over finite voxels of the planes around', async () => {
    const grid = { ...isotropic, shape: [5, 1, 2] as Zyx };
    const source = sourceBy(grid, (i) => [0, 1, 10, 11, Number.NaN, 21, 30, 31, 40, 41][i]);
    const slice = await readSlice(source, { across: 'z', index: 2 });
    expect([...slice.data]).toEqual([20, 21]);
    expect(slice).toMatchObject({ position: 20, planes: 3, width: 2, height: 1 });
    expect(await readSlice(source, { across: 'z', index: 0 })).toMatchObject({ planes: 2 });
  });

  it('slices keep their mean when they are enlarged or shrunk, and an even plane stays even', () => {
    const plane = { data: Float32Array.from({ length: 64 }, (_, i) => (i % 8 < 4 ? 0 : 2)), width: 8, height: 8 };
    const mean = ({ data }: { data: Float32Array }) => data.reduce((sum, value) => sum + value, 0) / data.length;
    expect(mean(resizePlane(plane, { width: 24, height: 32 }))).toBeCloseTo(1, 5);
    expect(mean(resizePlane(plane, { width: 3, height: 2 }))).toBeCloseTo(1, 5);
    const even = resizePlane({ ...plane, data: new Float32Array(64).fill(5) }, { width: 13, height: 5 });
    expect([...even.data].every((value) => Math.abs(value - 5) < 1e-6)).toBe(true);
  });

  it('slices ignore a few extreme voxels in their contrast', () => {
    const data = Float32Array.from({ length: 10_000 }, (_, i) => (i === 7 ? 1e9 : i / 10_000));
    const [black, white] = contrastOf([{ data, width: 100, height: 100 }]);
    expect(black).toBeCloseTo(0.005, 3);
    expect(white).toBeCloseTo(0.995, 3);
    const plane = { data: Float32Array.of(0, 0.5, 1, Number.NaN), width: 4, height: 1 };
    expect([...toGrey(plane, [0, 1])]).toEqual([0, 128, 255, 0]);
  });
});

describe('layout', () => {
  it('the layout enlarges small tomograms and shrinks huge ones by whole factors', () => {
    const pitchOf = (edge: number) =>
      layOut({ ...isotropic, shape: [10, edge, edge] }, { slices: 3, legend: [''], title: '' }).pitch;
    expect(pitchOf(128)).toBe(2.5);
    expect(pitchOf(630)).toBe(10);
    expect(pitchOf(2500)).toBe(30);
  });

  it.each([
    [1280, 200, '20 nm = 200 Å'],
    [6300, 1000, '100 nm = 1000 Å'],
    [90, 10, '10 Å'],
  ])('the layout has a scale bar for a panel of %d Å', (edge, length, label) => {
    expect(scaleBarLength(edge)).toBe(length);
    expect(formatLength(length)).toBe(label);
  });
});

describe('font', () => {
  it('the font has all letters that a figure needs, and a question mark for others', () => {
    const needed = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,:=()×·Å@/';
    const unknown = [...needed].filter((letter) => glyphOf(letter) === glyphOf('?'));
    expect(unknown).toEqual([]);
    expect(new Set([...needed].map((letter) => glyphOf(letter).join(''))).size).toBe(needed.length);
    expect(glyphOf('漢')).toBe(glyphOf('?'));
    expect(glyphOf(' ').every((cell) => cell === 0)).toBe(true);
  });
});
