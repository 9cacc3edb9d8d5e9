import { describe, expect, it, vi } from 'vitest';
import { inFlags, openTerminal, runBar, visibleJson } from '../../src/cli/terminal.ts';
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

describe('openTerminal', () => {
  it('openTerminal draws progress bars on a terminal, only on stderr, and erases them', () => {
    const { stdout, stderr, terminal } = open({ tty: true, json: false });
    const bar = runBar(terminal);
    bar.update(progress);
    bar.update({ ...progress, run: 'TS_6_4', runsDone: 1 });
    bar.stop();
    expect(stderr.text).toContain('TS_5_4 (1 of 7)  tiles');
    expect(stderr.text).toMatch(/TS_6_4 \(2 of 7, \d+ s left in all\) {2}tiles/);
    expect(stderr.text).toContain('3/12');
    expect(stdout.text).toBe('');
  });

  it('openTerminal draws the time left for all runs, once one is finished', () => {
    const { stderr, terminal } = open({ tty: true, json: false });
    const now = vi.spyOn(performance, 'now').mockReturnValue(0);
    const bar = runBar(terminal);
    bar.update(progress);
    now.mockReturnValue(600_000);
    bar.update({ ...progress, run: 'TS_6_4', runsDone: 1, runsTotal: 500 });
    bar.stop();
    now.mockRestore();
    expect(stderr.text).toContain('TS_6_4 (2 of 500, 83 h 10 min left in all)');
  });

  it.each([
    ['a pipe', { tty: false, json: false }],
    ['--json', { tty: true, json: true }],
  ])('openTerminal draws no bars with %s', (_, mode) => {
    const { stderr, terminal } = open(mode);
    const bar = runBar(terminal);
    bar.update(progress);
    bar.stop();
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
