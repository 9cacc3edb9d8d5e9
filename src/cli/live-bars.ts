/** A progress bar; `stop` erases it. */
export interface Bar {
  update(progress: BarProgress): void;
  stop(): void;
}

/** Progress of a piece of work. */
export interface BarProgress {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  /** @defaultValue as long for what is left as for what was done since the stage began */
  readonly secondsLeft?: number | undefined;
}

/** A terminal to draw on. */
export interface Screen extends NodeJS.WritableStream {
  /** @defaultValue 80 */
  readonly columns?: number | undefined;
}

interface LiveBar {
  readonly label: string;
  /** Absent before the first update: the bar is not drawn yet. */
  drawn?: DrawnBar;
}

interface DrawnBar {
  readonly progress: BarProgress;
  /** When the stage began, and how much was done then. */
  readonly began: { readonly at: number; readonly done: number };
}

/** Milliseconds between drawings. */
const INTERVAL = 100;

/** Progress bars at the end of a terminal, a line each, which are drawn again in their place. */
export class LiveBars {
  readonly #screen: Screen;
  readonly #bars = new Set<LiveBar>();
  #rows = 0;
  #isDue = false;
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** A bar below the others; it is drawn from its first update on. */
  start(label: string): Bar {
    const bar: LiveBar = { label };
    this.#bars.add(bar);
    return {
      update: (progress) => {
        const now = performance.now();
        const before = bar.drawn?.progress.stage === progress.stage ? bar.drawn.began : undefined;
        bar.drawn = { progress, began: before ?? { at: now, done: progress.done } };
        if (before === undefined || now - this.#drawnAt >= INTERVAL) this.#drawSoon();
      },
      stop: () => {
        if (this.#bars.delete(bar) && bar.drawn) this.#draw();
      },
    };
  }

  /** Writes lines above the bars. */
  above(write: () => void): void {
    if (this.#rows > 0) this.#screen.write(`${this.#toTop()}\x1b[J`);
    this.#rows = 0;
    write();
    this.#draw();
  }

  /** Draws once for all bars that are updated now. */
  #drawSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #draw(): void {
    const bars = [...this.#bars].flatMap(({ label, drawn }) => (drawn ? [{ label, ...drawn }] : []));
    if (bars.length === 0 && this.#rows === 0) return;
    this.#drawnAt = performance.now();
    const width = (this.#screen.columns ?? 80) - 1;
    const labelWidth = Math.max(0, ...bars.map(({ label }) => label.length));
    // A line that is wrapped would be two.
    const lines = bars.map((bar) => lineOf(bar, labelWidth).slice(0, width));
    this.#screen.write(`${this.#toTop()}${lines.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`);
    this.#rows = lines.length;
  }

  /** Moves to the start of the first bar. */
  #toTop(): string {
    return this.#rows > 1 ? `\r\x1b[${this.#rows - 1}A` : '\r';
  }
}

const BAR = 28;

function lineOf({ label, progress, began }: DrawnBar & Pick<LiveBar, 'label'>, labelWidth: number): string {
  const { stage, done, total } = progress;
  const share = total > 0 ? Math.min(1, done / total) : 1;
  const filled = Math.round(share * BAR);
  const seconds = (performance.now() - began.at) / 1000;
  const usual = done > began.done ? (seconds * (total - done)) / (done - began.done) : undefined;
  const left = progress.secondsLeft ?? usual;
  const words = [
    label.padEnd(labelWidth),
    stage.padEnd('intensity'.length),
    `[${'█'.repeat(filled)}${'░'.repeat(BAR - filled)}] ${Math.floor(100 * share)} %`,
    `${done}/${total}`,
    ...(left === undefined ? [] : [`${describeSeconds(left)} left`]),
  ];
  return words.join('  ');
}

/** A time in the largest unit that fits, and the next one: `2 h 10 min`. */
export function describeSeconds(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
