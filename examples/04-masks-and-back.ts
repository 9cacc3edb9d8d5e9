// Masks from picks and back: paint balls as a label volume, then find their centres again.
import { cziiRules, paintSegmentation, picksFromSegmentation, type VoxelGrid } from 'cryoet-picks';
import { toNdarray } from 'cryoet-picks/ndarray';
import { simulateTomogram } from 'cryoet-picks/simulate';
import ops from 'ndarray-ops';

// %% Known particles, and the grid to paint on: anisotropic on purpose, since radii are in Å.
const { picks, grid } = await simulateTomogram({ shape: [64, 128, 128], seed: 8 });
const fine: VoxelGrid = {
  ...grid,
  shape: [128, 128, 128],
  voxelSize: [grid.voxelSize[0] / 2, grid.voxelSize[1], grid.voxelSize[2]],
};

// %% Half the radius, as training masks usually are; one label per object.
const names = Object.keys(cziiRules.objects);
const labels = paintSegmentation(picks, {
  grid: fine,
  radius: Object.fromEntries(names.map((name) => [name, cziiRules.objects[name]!.radius / 2])),
  label: Object.fromEntries(names.map((name, i) => [name, i + 1])),
});

// %% The label volume is an ndarray without copying, so the usual elementwise tools apply.
const view = toNdarray(labels);
console.log(`${view.shape.join('×')} voxels, highest label ${ops.sup(view)}`);

// %% And back: each blob of a label becomes a pick at its centroid.
const found = picksFromSegmentation(labels, {
  grid: fine,
  objects: Object.fromEntries(names.map((name, i) => [i + 1, name])),
});
for (const name of names) {
  const [before, after] = [picks, found].map((list) => list.filter(({ object }) => object === name).length);
  console.log(`${name.padEnd(22)} ${before} painted, ${after} found again`);
}
