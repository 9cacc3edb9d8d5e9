import { expect, it } from 'vitest';
import { averageOf, functionModel, type Model, withFlips } from '../../src/entry/index.ts';
import { identityModel } from '../support/identity-model.ts';

it('models of this package are disposed at the end of a block by `await using`', async () => {
  const inner = identityModel();
  {
    await using flipped = withFlips(inner, ['x']);
    await using average = averageOf(inner, inner);
    expect([flipped.spec.name, average.spec.name]).toEqual(['fake', 'fake + fake']);
    expect(inner.disposed).toBe(0);
  }
  expect(inner.disposed).toBe(3);
});

it('a wrapper of a model is disposed by its own dispose', async () => {
  let disposed = 0;
  const model: Model = {
    ...functionModel((voxels) => voxels, { classes: ['a'] }),
    async dispose() {
      disposed++;
    },
  };
  await (model as Model & AsyncDisposable)[Symbol.asyncDispose]();
  expect(disposed).toBe(1);
});
