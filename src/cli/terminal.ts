import { SingleBar } from 'cli-progress';

/** Where text goes: `process.stdout`, `process.stderr`, or a fake. */
export interface TextStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean | undefined;
}

/** What a command has of the world outside: places to write to, and the wish to stop. */
export interface Terminal {
  /** Aborts on Ctrl-C, and where the program is told to end. */
  readonly signal: AbortSignal;
  /** Writes lines for people to stdout; nothing with `--json`. */
  print(...lines: readonly string[]): void;
  /** Writes a line to stderr, whatever the mode. */
  warn(line: string): void;
  /** Starts a progress bar on stderr; it shows on a terminal only, and never with `--json`. */
  startBar(label: string): Bar;
}

/** A progress bar; `stop` wipes it away. */
export interface Bar {
  update(progress: BarProgress): void;
  stop(): void;
}

/** How far a piece of work is. */
export interface BarProgress {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
}

/** Options of {@link openTerminal}. */
export interface TerminalOptions {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** A terminal over two streams. */
export function openTerminal({ stdout, stderr, json, signal }: TerminalOptions): Terminal {
  return {
    signal,
    print(...lines) {
      if (!json) stdout.write(lines.map((line) => `${line}\n`).join(''));
    },
    warn(line) {
      stderr.write(`${line}\n`);
    },
    startBar(label) {
      return stderr.isTTY === true && !json ? drawnBar(stderr, label) : { update() {}, stop() {} };
    },
  };
}

function drawnBar(stream: TextStream, label: string): Bar {
  const bar = new SingleBar({
    stream,
    format: '{label}  {stage} [{bar}] {percentage} %  {value}/{total}  {eta_formatted} left',
    barsize: 28,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    clearOnComplete: true,
    hideCursor: true,
    // Ctrl-C is the program's own business; the bar is stopped on the way out.
    gracefulExit: false,
    autopadding: true,
  });
  let stage: string | undefined;
  return {
    update(progress) {
      if (progress.stage !== stage) {
        stage = progress.stage;
        bar.start(progress.total, progress.done, { label, stage: stage.padEnd('intensity'.length) });
      }
      bar.update(progress.done);
    },
    stop() {
      if (stage !== undefined) bar.stop();
    },
  };
}

/** How far a piece of work on many runs is. */
export interface RunProgress extends BarProgress {
  readonly run: string;
  /** Runs finished before this one. */
  readonly runsDone: number;
  readonly runsTotal: number;
}

/** A bar that starts anew for each run. */
export function runBar(terminal: Terminal): { update(progress: RunProgress): void; stop(): void } {
  let current: { run: string; bar: Bar } | undefined;
  const stop = () => {
    current?.bar.stop();
    current = undefined;
  };
  return {
    update(progress) {
      const { run, runsDone, runsTotal } = progress;
      if (current?.run !== run) {
        stop();
        current = { run, bar: terminal.startBar(`${run} (${runsDone + 1} of ${runsTotal})`) };
      }
      current.bar.update(progress);
    },
    stop,
  };
}
