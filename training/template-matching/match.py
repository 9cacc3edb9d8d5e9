"""Finds the five scored particles in crops of simulated tomograms by template matching; writes candidates for compare.ts.

    python match.py MAPS DATA OUT.json [--validate 6] [--test 6] [--rotations 576] [--shape 64,256,256] [--threads 1]

MAPS holds polnet's density maps (czii/*.mrc), DATA the copick projects `validate` and `test`.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from scipy.fft import set_workers
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree

from correlate import Volume, best_correlations
from crops import read_crop, runs_of
from rotations import coverage, needed_rotations
from templates import PARTICLES, Template

# The radial network's card, whose least distances (A) are taken here, too.
CARD = Path(__file__).parents[1] / 'radial' / 'radial.json'
# Candidates of a particle in a crop, best first: several times as many as there are particles.
MOST = 400


def peaks(scores, least_distance):
    """Local maxima (indices z, y, x, best first) none of which is closer to a better one than the distance (voxels)."""
    index = np.argwhere((scores == maximum_filter(scores, 3)) & (scores > np.median(scores)))
    index = index[np.argsort(-scores[tuple(index.T)], kind='stable')]
    near = cKDTree(index).query_ball_point(index, least_distance)
    alive = np.ones(len(index), bool)
    for i, neighbours in enumerate(near):
        if alive[i]:
            alive[[j for j in neighbours if j > i]] = False
    return index[alive][:MOST]


def candidates(name, scores, crop, least_distance):
    """Peaks as dictionaries: position in the tomogram (A), correlation, and its distance from the median in robust deviations."""
    middle = np.median(scores)
    deviation = 1.4826 * np.median(np.abs(scores - middle))
    found = peaks(scores, least_distance / crop['voxelSize'])
    for index in found:
        value = float(scores[tuple(index)])
        z, y, x = ((index + crop['start']) * crop['voxelSize']).tolist()
        yield {'object': name, 'x': x, 'y': y, 'z': z, 'correlation': value, 'deviations': float((value - middle) / deviation)}


def main():
    parser = argparse.ArgumentParser()
    for name in ('maps', 'data', 'out'):
        parser.add_argument(name)
    for name, default in (('validate', 6), ('test', 6), ('rotations', 576), ('threads', 1)):
        parser.add_argument(f'--{name}', type=int, default=default)
    parser.add_argument('--shape', default='64,256,256')
    options = parser.parse_args()
    distances = json.loads(CARD.read_text())['minDistances']
    shape = [int(n) for n in options.shape.split(',')]
    crops, volumes = [], []
    for split in ('validate', 'test'):
        project = Path(options.data) / split
        for run in runs_of(project, getattr(options, split)):
            voxels, start, voxel_size = read_crop(project, run, shape)
            crops.append({'split': split, 'run': run, 'start': start, 'shape': shape, 'voxelSize': voxel_size, 'candidates': []})
            volumes.append(Volume(voxels, int(max(particle.mask for particle in PARTICLES)) + 2))
    wall, cpu, searched = time.perf_counter(), time.process_time(), 0
    for particle in PARTICLES:
        template = Template(particle, options.maps, crops[0]['voxelSize'])
        rotations = needed_rotations(options.rotations, template.group)
        searched += len(rotations)
        with set_workers(options.threads):
            found = best_correlations(volumes, template, rotations)
        for crop, scores in zip(crops, found):
            crop['candidates'].extend(candidates(particle.name, scores, crop, distances[particle.name]))
        furthest, mean = coverage(rotations, template.group)
        print(
            f'{particle.name}: {len(rotations)} rotations, any other is within {furthest:.0f} degrees ({mean:.0f} on average), '
            f'{time.process_time() - cpu:.0f} s of a core so far',
            flush=True,
        )
    million = len(crops) * np.prod(shape) / 1e6
    cost = {'wall': (time.perf_counter() - wall) / million, 'cpu': (time.process_time() - cpu) / million}
    Path(options.out).write_text(json.dumps({'rotations': searched, 'secondsPerMvoxel': cost, 'crops': crops}))


if __name__ == '__main__':
    main()
