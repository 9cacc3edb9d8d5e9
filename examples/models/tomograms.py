"""Reads a copick project through zarr and cuts random crops; what a network is to learn, each script says itself."""

import json
from pathlib import Path

import numpy as np
import torch
import zarr

CLASSES = ('ribosome', 'virus-like-particle')
RADIUS = {'ribosome': 150.0, 'virus-like-particle': 135.0}  # in A
VOXEL_SIZE = 10.012


def read_project(folder):
    """For each run: voxels, float32 [z, y, x], and the centres by class, float [particle, (z, y, x)], in voxels."""
    folder = Path(folder)
    config = json.loads((folder / 'copick.json').read_text())
    overlay = folder / config['overlay_root'] / 'ExperimentRuns'
    for run in sorted((folder / config['static_root'] / 'ExperimentRuns').iterdir()):
        (image,) = run.glob('VoxelSpacing*/*.zarr')
        group = zarr.open_group(image, mode='r')
        level = group.attrs['multiscales'][0]['datasets'][0]
        scale = next(step['scale'] for step in level['coordinateTransformations'] if step['type'] == 'scale')
        picks = overlay / run.name / 'Picks'
        yield z_scored(group[level['path']][:]), {name: read_centres(picks / f'{name}.json', scale) for name in CLASSES}


def read_centres(path, scale):
    points = json.loads(path.read_text())['points']
    positions = np.array([[point['location'][axis] for axis in 'zyx'] for point in points]).reshape(-1, 3)
    # Index i is the centre of voxel i: no half voxel here.
    return positions / np.array(scale)


def z_scored(voxels):
    """What the card's "z-score" stands for: statistics of the whole tomogram, not of a crop."""
    mean, deviation = voxels.mean(dtype=np.float64), voxels.std(dtype=np.float64)
    return ((voxels - mean) / deviation).astype(np.float32)


def near(centre, reach, shape, stride):
    """The cells within reach of a centre, both in voxels: a box of them, and how far the centre lies from each, [3, z, y, x]."""
    # The middle of cell k is voxel stride * k + (stride - 1) / 2, so a particle at voxel v is at cell (v - 0.5) / 2 for stride 2.
    middle = (centre - (stride - 1) / 2) / stride
    low = np.clip(np.floor(middle - reach / stride), 0, shape).astype(int)
    high = np.clip(np.ceil(middle + reach / stride) + 1, 0, shape).astype(int)
    box = tuple(slice(a, b) for a, b in zip(low, high))
    cells = np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high)), indexing='ij')
    return box, np.stack([stride * (m - k) for m, k in zip(middle, cells)]).astype(np.float32)


class Crops(torch.utils.data.Dataset):
    """Crop i of a seed, always the same, mirrored along any axes.

    `target_of(cells, centres)` gives a tomogram's target, float32 [channel, z, y, x] of cells; with `has_offsets` the last three channels
    are displacements along z, y, x.
    """

    def __init__(self, folder, target_of, stride, count, has_offsets=False, edge=40, seed=1):
        self.stride, self.count, self.has_offsets, self.edge, self.seed = stride, count, has_offsets, edge, seed
        self.tomograms = [
            (voxels, target_of(tuple(side // stride for side in voxels.shape), centres))
            for voxels, centres in read_project(folder)
        ]

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        random = np.random.default_rng([self.seed, index])
        voxels, target = self.tomograms[random.integers(len(self.tomograms))]
        edge = self.edge // self.stride
        first = [random.integers(side - edge + 1) for side in target.shape[1:]]
        target = target[:, *(slice(a, a + edge) for a in first)]
        voxels = voxels[tuple(slice(self.stride * a, self.stride * (a + edge)) for a in first)]
        mirrored = [axis for axis in range(3) if random.random() < 0.5]
        voxels, target = np.flip(voxels, mirrored), np.flip(target, [axis + 1 for axis in mirrored]).copy()
        if self.has_offsets:
            # A displacement along a mirrored axis points the other way.
            target[[axis - 3 for axis in mirrored]] *= -1
        return torch.from_numpy(voxels.copy())[None], torch.from_numpy(target)
