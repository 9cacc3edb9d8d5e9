"""Crops of the simulated copick projects that training/unet/make-data.ts writes."""

import json
from pathlib import Path

import numpy as np
import zarr


def read_crop(project, run, shape):
    """A crop (float32 [z, y, x]) across the middle of the particles' depths, where it starts, and the voxel size (A)."""
    folder = Path(project)
    config = json.loads((folder / 'copick.json').read_text())
    (image,) = (folder / config['static_root'] / 'ExperimentRuns' / run).glob('VoxelSpacing*/*.zarr')
    group = zarr.open_group(image, mode='r')
    level = group.attrs['multiscales'][0]['datasets'][0]
    scale = next(step['scale'] for step in level['coordinateTransformations'] if step['type'] == 'scale')
    array = group[level['path']]
    picks = folder / config['overlay_root'] / 'ExperimentRuns' / run / 'Picks'
    # The truth alone: evaluate.ts leaves its own picks beside it.
    truth = [picks / f'{item["name"]}.json' for item in config['pickable_objects']]
    depths = [point['location']['z'] for path in truth for point in json.loads(path.read_text())['points']]
    middle = [np.median(depths) / scale[0], array.shape[1] / 2, array.shape[2] / 2]
    start = [int(np.clip(round(m - n / 2), 0, full - n)) for m, n, full in zip(middle, shape, array.shape)]
    return array[tuple(slice(a, a + n) for a, n in zip(start, shape))].astype(np.float32), start, scale[0]


def runs_of(project, count):
    """Names of the first runs of a project."""
    folder = Path(project)
    config = json.loads((folder / 'copick.json').read_text())
    return [run.name for run in sorted((folder / config['static_root'] / 'ExperimentRuns').iterdir())[:count]]
