import { openCroissant } from '../../src/entry/portal.ts';

/** What the page found out, for the test that opened it. */
export interface CroissantPageResult {
  readonly runs: readonly string[];
  /** The sum of the finest voxels of a tomogram. */
  readonly sum: number;
  readonly picks: Readonly<Record<string, number>>;
  /** Why nothing can be written. */
  readonly refusal: string;
}

/** Opens the Croissant beside the page by a relative address, as any page on a static host would. */
async function look(): Promise<CroissantPageResult> {
  const project = await openCroissant('data/Croissant/metadata.json');
  const runs = await project.runs();
  const picks: Record<string, number> = {};
  for (const run of runs) picks[run.name] = (await run.picks()).length;
  const run = await project.run('TS_5_4');
  const tomogram = await run.tomogram('denoised', { voxelSpacing: 10.012 });
  const { data } = await tomogram.read({ start: [0, 0, 0], end: tomogram.grid.shape });
  const refusal = await run.requireWritable().then(
    () => 'none',
    ({ code }) => code,
  );
  const sum = (data as Float32Array).reduce((total, value) => total + value, 0);
  return { runs: runs.map(({ name }) => name), sum, picks, refusal };
}

look().then(
  (result) => Object.assign(globalThis, { pageResult: result }),
  (error) => Object.assign(globalThis, { pageResult: { error: String(error?.stack ?? error) } }),
);
