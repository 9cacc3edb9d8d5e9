"""Checks the correlation: against its definition at one voxel, and by finding a planted particle. python check.py MAPS"""

import sys

import numpy as np

from correlate import Volume, best_correlations
from rotations import needed_rotations
from templates import PARTICLES, Template

particle = next(particle for particle in PARTICLES if particle.name == 'thyroglobulin')
template = Template(particle, sys.argv[1], 10.012)
rotations = needed_rotations(576, template.group)[10:25]
weights, mask = template.rotated(rotations[7]), template.mask
edge = mask.shape[0]
place = (5, 20, 3)
box = tuple(slice(start, start + edge) for start in place)
voxels = np.random.default_rng(0).normal(size=(48, 70, 66)).astype(np.float32) * 0.01
voxels[box] += 1000 * weights
volume = Volume(voxels, edge // 2 + 1)

found = best_correlations([volume], template, rotations)[0]
peak = tuple(int(i) for i in np.unravel_index(found.argmax(), found.shape))
assert peak == tuple(start + edge // 2 for start in place), f'planted at {place}, found at {peak}'
assert found.max() > 0.95, found.max()

around = volume.padded[:edge, 30 : 30 + edge, 25 : 25 + edge]
mean = (mask * around).sum() / mask.sum()
deviation = np.sqrt((mask * (around - mean) ** 2).sum() / mask.sum())
expected = (weights * around).sum() / deviation
given = best_correlations([volume], template, rotations[7:8])[0][edge // 2, 30 + edge // 2, 25 + edge // 2]
assert abs(given - expected) < 1e-5, (given, expected)
print(f'planted particle found, correlation {found.max():.3f}; equals its definition to {abs(given - expected):.0e}')
