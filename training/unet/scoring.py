"""How good a network is on whole tomograms, with the best threshold of each class: to watch a training, not to report.

What is reported comes from evaluate.ts, through the package.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from network import CLASSES, MULTIPLE

sys.path.append(str(Path(__file__).parents[1] / 'radial'))
import metric  # noqa: E402

FLOOR = 0.05


@torch.no_grad()
def probabilities(network, voxels, device):
    """float32 [class, z/2, y/2, x/2] of a whole tomogram in one pass, padded with its mean to what the network takes."""
    pads = [(0, -edge % MULTIPLE) for edge in voxels.shape]
    padded = torch.from_numpy(np.pad(voxels.astype(np.float32), pads))[None, None].to(device)
    scores = network(padded).float().softmax(1)[0].cpu().numpy()
    return scores[(slice(None), *(slice(edge // 2) for edge in voxels.shape))]


def score(network, tomograms, device):
    """F4 by object at its best threshold, and the weighted total of the competition."""
    found = {name: [] for name in CLASSES}
    for tomogram in tomograms:
        scores = probabilities(network, tomogram.voxels, device)
        size = float(tomogram.voxel_size.mean())
        for index, name in enumerate(CLASSES):
            separation = metric.SEPARATION * metric.RADIUS[name]
            position, value = metric.find_peaks(scores[index], separation, size, floor=FLOOR)
            found[name].append((position, value, tomogram.truth[name]))
    objects = {name: best(found[name], name) for name in CLASSES}
    total = sum(metric.WEIGHT[name] * value for name, value in objects.items()) / sum(metric.WEIGHT.values())
    return total, objects


def best(found, name):
    values = np.concatenate([value for _, value, _ in found])
    if len(values) == 0:
        return 0.0
    # Close together where they matter: the particles are among the first of thousands of candidates.
    ranks = np.unique(np.geomspace(1, len(values), 60).astype(int)) - 1
    thresholds = np.sort(values)[::-1][ranks]
    return max(metric.f_beta(*metric.count(found, name, threshold)) for threshold in thresholds)
