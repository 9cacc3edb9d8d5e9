"""Finds the false picks of a network on the tomograms it is trained on: python mine.py --data DIR... --network best.pt --out FILE.

FILE is JSON: for each tomogram the cells (z, y, x) of peaks that are no particle of the peak's class. Other particles and decoys,
broken ones, edges of membranes, ice and gold are among them. train.py --negatives looks at them more often.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree

import scoring
from data import read_project
from network import CLASSES, UNet


# A peak with less than this is not picked at any threshold that is chosen.
FLOOR = 0.1


def false_picks(scores, tomogram):
    """Cells (z, y, x) of the peaks of all classes that are farther from any true particle of their class than half its radius."""
    size = float(tomogram.voxel_size.mean())
    cells = []
    for index, name in enumerate(CLASSES):
        radius = scoring.metric.RADIUS[name]
        position, _ = scoring.metric.find_peaks(scores[index], scoring.metric.SEPARATION * radius, size, floor=FLOOR)
        truth = tomogram.truth[name]
        if len(position) and len(truth):
            position = position[cKDTree(truth).query(position)[0] > radius / 2]
        cells.extend(np.round((position[:, ::-1] / size - 0.5) / 2).astype(int).tolist())
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--data', type=Path, nargs='+', required=True, help='folders that make-data.ts wrote')
    parser.add_argument('--network', type=Path, required=True, help='best.pt of a training')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--bfloat16', action='store_true', help='convolve in bfloat16')
    options = parser.parse_args()
    network = UNet().eval()
    network.load_state_dict(torch.load(options.network, map_location='cpu', weights_only=True)['average'])
    found = {}
    for folder in options.data:
        for tomogram in read_project(folder / 'train'):
            with torch.autocast('cpu', dtype=torch.bfloat16, enabled=options.bfloat16):
                scores = scoring.probabilities(network, tomogram.voxels, 'cpu')
            found[tomogram.name] = false_picks(scores, tomogram)
    part = options.out.with_suffix('.part')
    part.write_text(json.dumps(found))
    part.replace(options.out)
    print(f'{sum(map(len, found.values()))} false picks in {len(found)} tomograms')


if __name__ == '__main__':
    main()
