import { describe, expect, it } from 'vitest';
import { detectProject } from '../../../src/entry/index.ts';
import { config, projectOf } from '../../support/copick-tree.ts';
import { identityModel } from '../../support/identity-model.ts';

const base = '/ExperimentRuns/TS_5_4';
const { project } = projectOf({
  overlay: {
    [`${base}/VoxelSpacing10.012/wbp.zarr/0/.zarray`]: '{}',
    [`${base}/VoxelSpacing10.012/denoised.zarr/0/.zarray`]: '{}',
  },
});
const run = await project.run('TS_5_4');
const refusal = (...parts: string[]) => ({
  code: 'invalid-option',
  message: expect.stringMatching(new RegExp(parts.join('.*'))),
});

describe('a filter with an unknown key', () => {
  it.each<[unknown, string]>([
    ['ribosome', 'the filter of picks must be an object such as { object: "ribosome" }, found "ribosome"'],
    [null, 'found null'],
    [['ribosome'], 'found \\["ribosome"\\]'],
    [{ user_id: 'x' }, '"user_id" is not a filter of picks; did you mean userId\\? expected object, userId, sessionId'],
    [{ name: 'x' }, '"name" is not a filter of picks; expected object'],
  ])('a filter with an unknown key is refused: %j', async (filter, message) => {
    await expect(run.picks(filter as object)).rejects.toMatchObject(refusal(message));
    await expect(run.pickSets(filter as object)).rejects.toMatchObject(refusal(message));
  });

  it('a filter with an unknown key is refused by every listing', async () => {
    const odd = { sesion: '0' } as object;
    for (const method of ['tomograms', 'features', 'segmentations', 'meshes', 'filaments'] as const)
      await expect(run[method](odd)).rejects.toMatchObject(refusal(`^"sesion" is not a filter of ${method}`));
  });

  it('a filter with an unknown key is refused for unknown kinds, alone or in a list', async () => {
    const kind = 'panoptics' as 'panoptic';
    const message = 'kind is "panoptics", expected binary, multilabel, instance, panoptic';
    await expect(run.segmentations({ kind })).rejects.toMatchObject(refusal(message));
    await expect(run.segmentations({ kind: ['binary', kind] })).rejects.toMatchObject(refusal(message));
    expect(await run.segmentations({ kind: ['binary', 'panoptic'], userId: undefined })).toEqual([]);
  });

  it('a filter with an unknown key is refused for runs', async () => {
    const wrong = 'test' as unknown as object;
    await expect(project.runs(wrong)).rejects.toMatchObject(refusal('an object such as { split: "test" }'));
  });
});

describe("a tomogram's type", () => {
  it.each([undefined, '', ['wbp']])("a tomogram's type is required: %j", async (type) => {
    const message = 'expected the tomogram\'s type, found .*available: "denoised@10.012", "wbp@10.012"';
    await expect(run.tomogram(type as string)).rejects.toMatchObject(refusal(message));
  });

  it("a tomogram's type must be a name where one is given to search a project", async () => {
    const model = identityModel({ classes: [config.objects[0]!.name] });
    const options = { model, tomogram: 7 } as unknown as Parameters<typeof detectProject>[1];
    const results = detectProject(project, options);
    await expect(results.next()).rejects.toMatchObject(refusal('tomogram must be the type of the tomograms'));
  });
});
