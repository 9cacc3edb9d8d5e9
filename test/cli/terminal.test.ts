import { describe, expect, it, vi } from 'vitest';
import { runBars } from '../../src/cli/run-bars.ts';
import { inFlags, openTerminal, visibleJson } from '../../src/cli/terminal.ts';
import { TextSink } from '../support/capture-cli.ts';

function open({ tty, json }: { tty: boolean; json: boolean }) {
  const stdout = new TextSink();
  const stderr = Object.assign(new TextSink(), { isTTY: tty, columns: 120 });
  return { stdout, stderr, terminal: openTerminal({ stdout, stderr, json, signal: new AbortController().signal }) };
}

const progress = { run: 'TS_5_4', runsDone: 0, runsTotal: 7, stage: 'tiles', done: 3, total: 12 };

it('inFlags names options of the library as on the command line, and leaves everything else', () => {
  const message = 'give the option shape, in voxels, and the option "voxelSize", in Å; the option `overlay`';
  expect(inFlags(message)).toBe('give --shape, in voxels, and --voxel-size, in Å; detect --overlay');
  expect(inFlags('the option fallbackVoxelSize of trueVoxelSize.mrc')).toBe('--voxel-size of trueVoxelSize.mrc');
  for (const other of ['the option is used', 'the option zarrFormat', 'voxelSize.star', 'the option constructor']) {
    expect(inFlags(other)).toBe(other);
  }
});

it('warnings and the messages of JSON documents name options as on the command line', () => {
  const { stderr, terminal } = open({ tty: false, json: true });
  terminal.warn('give the option voxelSize');
  expect(stderr.text).toBe('give --voxel-size\n');
  const document = { run: 'the option voxelSize', warnings: [{ message: 'give the option voxelSize' }] };
  expect(JSON.parse(visibleJson(document))).toEqual({
    run: 'the option voxelSize',
    warnings: [{ message: 'give --voxel-size' }],
  });
});

/** What a terminal shows after all that is written to it. */
async function screenOf(stream: TextSink): Promise<string[]> {
  await Promise.resolve();
  const rows = [''];
  let [row, column] = [0, 0];
  for (const [part, up] of stream.text.replaceAll('\x1b', '␛').matchAll(/␛\[(?:(\d+)A|[JK])|[\r\n]|[^␛\r\n]+/g)) {
    if (up) row -= Number(up);
    else if (part === '\r') column = 0;
    else if (part === '\n') [row, column] = [row + 1, 0];
    else if (part.startsWith('␛')) {
      rows[row] = (rows[row] ?? '').slice(0, column);
      if (part.endsWith('J')) rows.splice(row + 1);
    } else {
      rows[row] =
        (rows[row] ?? '').slice(0, column).padEnd(column) + part + (rows[row] ?? '').slice(column + part.length);
      column += part.length;
    }
    rows[row] ??= '';
  }
  return rows;
}

describe('openTerminal', () => {
  it('runBars draws a line for all runs and one for each that is worked on, again in their place, only on stderr', async () => {
    const { stdout, stderr, terminal } = open({ tty: true, json: false });
    const now = vi.spyOn(performance, 'now').mockReturnValue(0);
    const bars = runBars(terminal, { jobs: 2 });
    bars.update({ ...progress, stage: 'intensity', done: 1, total: 2 });
    bars.update({ ...progress, done: 0 });
    bars.update({ ...progress, run: 'TS_86_3', done: 0 });
    now.mockReturnValue(10_000);
    bars.update(progress);
    expect(await screenOf(stderr)).toEqual([
      expect.stringMatching(/^all {6}runs {7}\[░{28}\] 0 % {2}0\/7 {2}5 min left$/),
      expect.stringMatching(/^TS_5_4 {3}tiles {6}\[█{7}░{21}\] 25 % {2}3\/12 {2}30 s left$/),
      expect.stringMatching(/^TS_86_3 {2}tiles {6}\[░{28}\] 0 % {2}0\/12$/),
    ]);
    now.mockReturnValue(40_000);
    bars.finish('TS_5_4');
    bars.update({ ...progress, run: 'TS_6_4', done: 0 });
    expect(await screenOf(stderr)).toEqual([
      expect.stringMatching(/^all .* 14 % {2}1\/7 {2}4 min left$/),
      expect.stringMatching(/^TS_86_3 /),
      expect.stringMatching(/^TS_6_4 /),
    ]);
    bars.stop();
    now.mockRestore();
    expect(await screenOf(stderr)).toEqual(['']);
    expect(stdout.text).toBe('');
  });

  it('runBars draws at most as many runs as are worked on at once: one that is to be tried again makes room', async () => {
    const { stderr, terminal } = open({ tty: true, json: false });
    const bars = runBars(terminal);
    bars.update({ ...progress, runsTotal: 1 });
    bars.update({ ...progress, runsTotal: 1, run: 'TS_6_4' });
    expect(await screenOf(stderr)).toEqual([expect.stringMatching(/^TS_6_4 /)]);
    bars.stop();
  });

  it('runBars tells the time left from the runs that it has seen, not from those that were skipped before', async () => {
    const { stderr, terminal } = open({ tty: true, json: false });
    const now = vi.spyOn(performance, 'now').mockReturnValue(0);
    const bars = runBars(terminal);
    bars.update({ ...progress, runsDone: 400, runsTotal: 500, done: 0 });
    now.mockReturnValue(600_000);
    bars.finish('TS_5_4');
    bars.update({ ...progress, run: 'TS_6_4', runsDone: 401, runsTotal: 500, done: 0 });
    now.mockRestore();
    expect((await screenOf(stderr))[0]).toMatch(/^all .*401\/500 {2}16 h 30 min left$/);
    bars.stop();
  });

  it('openTerminal writes lines above the bars, and cuts lines that are wider than the terminal', async () => {
    const { stdout, stderr, terminal } = open({ tty: true, json: false });
    const both = Object.assign(stderr, { columns: 50 });
    const shown = openTerminal({ stdout: both, stderr, json: false, signal: terminal.signal });
    const bars = runBars(shown);
    bars.update(progress);
    shown.print('TS_1_3  4 picks, 2.0 s');
    shown.warn('careful');
    expect(await screenOf(stderr)).toEqual([
      'TS_1_3  4 picks, 2.0 s',
      'careful',
      expect.stringMatching(/^all .{45}$/),
      expect.stringMatching(/^TS_5_4 .{42}$/),
    ]);
    bars.stop();
    expect(await screenOf(stderr)).toEqual(['TS_1_3  4 picks, 2.0 s', 'careful', '']);
    // A file that takes standard output gets the lines alone.
    bars.update(progress);
    terminal.print('to a file');
    expect(stdout.text).toBe('to a file\n');
    bars.stop();
  });

  it.each([
    ['a pipe', { tty: false, json: false }],
    ['--json', { tty: true, json: true }],
  ])('openTerminal draws no bars with %s', (_, mode) => {
    const { stderr, terminal } = open(mode);
    const bars = runBars(terminal);
    bars.update(progress);
    bars.finish(progress.run);
    bars.stop();
    expect(stderr.text).toBe('');
  });

  it('openTerminal prints lines to stdout, none with --json, and always warnings to stderr', () => {
    const plain = open({ tty: false, json: false });
    plain.terminal.print('one', 'two');
    plain.terminal.warn('careful');
    expect([plain.stdout.text, plain.stderr.text]).toEqual(['one\ntwo\n', 'careful\n']);
    const json = open({ tty: false, json: true });
    json.terminal.print('one');
    json.terminal.warn('careful');
    expect([json.stdout.text, json.stderr.text]).toEqual(['', 'careful\n']);
  });
});
