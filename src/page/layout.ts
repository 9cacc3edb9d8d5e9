import { type DisplayCommands, displayPanel } from './display-panel.ts';
import { element } from './element.ts';
import type { Page } from './page.ts';
import { centerNear, fittingZoom, planes } from './planes.ts';
import { sliceView } from './slice-view.ts';

/** The three slices, as in a drawing of three views: xy, zy to its right, xz below it, all at one scale. */
export interface Slices {
  readonly root: HTMLElement;
  /** Shows the whole xy slice. */
  fit(): void;
}

/** Shares of width and height that the side views may have. */
const SIDE = { least: 0.18, most: 0.34 };

/** Makes the three slices and the panel that says how they are shown. */
export function slices(page: Page, commands: Omit<DisplayCommands, 'fit'>): Slices {
  const { live } = page;
  const xy = sliceView(page, planes.xy);
  const zy = sliceView(page, planes.zy);
  const xz = sliceView(page, planes.xz);
  const measure = () => {
    const { width, height } = xy.size();
    live.change({ panels: { width, height, depth: zy.size().width } });
  };
  const fitAll = () => {
    measure();
    const { grid, panels, position } = live.state;
    if (grid === undefined || panels.width === 0) return;
    const zoom = fittingZoom(planes.xy, grid, panels);
    live.change({ camera: { center: centerNear(position, grid, zoom, panels), zoom } });
  };
  const display = displayPanel(page, { ...commands, fit: fitAll });
  const root = element('div', { className: 'slices' }, xy.root, zy.root, xz.root, display);
  live.watch(['grid'], ({ grid }) => {
    if (grid === undefined) return;
    const [depth, height, width] = grid.shape.map((count, axis) => count * grid.voxelSize[axis]!) as [
      number,
      number,
      number,
    ];
    const share = (side: number, main: number) => Math.min(SIDE.most, Math.max(SIDE.least, side / (side + main)));
    const [right, below] = [share(depth, width), share(depth, height)];
    root.style.gridTemplateColumns = `${1 - right}fr ${right}fr`;
    // Messages stay left of the panel of controls.
    document.documentElement.style.setProperty('--display-share', String(right));
    // The controls show without scrolling on a low screen too. Shares of less than 1 would leave space there.
    root.style.gridTemplateRows = `minmax(0, ${100 * (1 - below)}fr) minmax(min-content, ${100 * below}fr)`;
    // The panels take their new size with the next frame.
    requestAnimationFrame(() => requestAnimationFrame(() => (live.state.camera.zoom === 0 ? fitAll() : measure())));
  });
  /** A slice that fits its panel fits it afterwards too. */
  const resize = () => {
    const { grid, panels, camera } = live.state;
    const isFitted = grid !== undefined && panels.width > 0 && camera.zoom === fittingZoom(planes.xy, grid, panels);
    if (isFitted) fitAll();
    else measure();
  };
  const observer = new ResizeObserver(resize);
  for (const panel of [xy.root, zy.root]) observer.observe(panel);
  return { root, fit: fitAll };
}
