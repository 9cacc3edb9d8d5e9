"""Reads simulated scenes: NAME.npy (a volume [z, y, x]) beside NAME.json ([[object, x, y, z], ...], in A)."""

import json
from pathlib import Path

import numpy as np


def scene_names(folder):
    return sorted(path.with_suffix('') for path in Path(folder).glob('*.npy'))


def read_scene(name):
    """The z-scored volume, float32, and the truth."""
    voxels = np.load(name.with_suffix('.npy')).astype(np.float32)
    voxels = (voxels - voxels.mean(dtype=np.float64)) / voxels.std(dtype=np.float64)
    rows = json.loads(name.with_suffix('.json').read_text())
    return voxels.astype(np.float32), [(row[0], np.array(row[1:4], float)) for row in rows]
