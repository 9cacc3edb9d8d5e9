"""Fits the second layer and the thresholds on simulated scenes and writes head.json.

    python fit.py --train DIR --validate DIR --test DIR

The filters are fixed; the competition is a multinomial logistic regression on their responses, the squares of these and
their neighbourhood maxima. Thresholds are those of the best F4 on the validation scenes; the score is that of the test scenes.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime
from scipy.ndimage import maximum_filter
from scipy.optimize import minimize

import build
import kernels
import metric
import scenes

NAMES = list(kernels.load_profiles()['profiles'])
BACKGROUND = len(NAMES)
VOXEL = kernels.CELL / 2
BANDS = [{'white': 1.0, 'low': 0.0, 'corner': 0.1}, {'white': 0.05, 'low': 1.0, 'corner': 0.12}]
SEED = 20241106
POSITIVE = 18.0
IGNORED = 0.45
KEPT = 0.004


def session(head, first_layer_only=False):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    content = build.model_bytes(head, first_layer_only)
    return onnxruntime.InferenceSession(content, options, providers=['CPUExecutionProvider'])


def cropped(voxels):
    depth, height, width = (n - n % 2 for n in voxels.shape)
    return np.ascontiguousarray(voxels[:depth, :height, :width])[None, None]


def features(response):
    parts = [response, response * response]
    for side in build.POOLS:
        parts.append(maximum_filter(response, (1, side, side, side), mode='constant', cval=-np.inf))
    return np.concatenate(parts)


def labels(shape, truth):
    """Class of each cell: cells near a centre are its species, the rest of a particle's core is -1 (not used)."""
    label = np.full(shape, BACKGROUND, np.int8)
    for name, position in truth:
        centre = (position[::-1] / VOXEL - 0.5) / 2
        low = np.maximum(np.floor(centre - 8).astype(int), 0)
        high = np.minimum(np.floor(centre + 9).astype(int), shape)
        part = tuple(slice(a, b) for a, b in zip(low, high))
        grid = np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high)), indexing='ij')
        distance = np.sqrt(sum((g - c) ** 2 for g, c in zip(grid, centre))) * kernels.CELL
        view = label[part]
        view[(distance < IGNORED * metric.RADIUS[name]) & (view == BACKGROUND)] = -1
        view[distance <= POSITIVE] = NAMES.index(name)
    return label


def sample(response, label, random):
    """Features, classes and weights of all cells on particles and of a share of the others, more where filters respond."""
    flat, label = features(response).reshape(-1, label.size), label.ravel()
    positive = np.flatnonzero((label >= 0) & (label < BACKGROUND))
    negative = np.flatnonzero(label == BACKGROUND)
    energy = response.max(axis=0).ravel()[negative]
    share = np.minimum(1, KEPT * np.maximum(1, np.maximum(energy, 0) ** 3 / 3))
    taken = random.random(len(negative)) < share
    index = np.concatenate([positive, negative[taken]])
    weight = np.concatenate([np.ones(len(positive)), 0.1 / share[taken]])
    return flat[:, index].T.astype(np.float64), label[index], weight


def logistic(x, y, weight, ridge=1e-5, steps=400):
    """Weights [class, feature] and biases [class] of a weighted multinomial logistic regression."""
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    z, target, weight = (x - mean) / deviation, np.eye(BACKGROUND + 1)[y], weight / weight.sum()

    def loss(flat):
        w = flat.reshape(z.shape[1] + 1, -1)
        logit = z @ w[:-1] + w[-1]
        logit -= logit.max(axis=1, keepdims=True)
        p = np.exp(logit)
        p /= p.sum(axis=1, keepdims=True)
        slope = (p - target) * weight[:, None]
        value = -np.sum(weight * np.log(p[np.arange(len(y)), y] + 1e-30)) + ridge * np.sum(w[:-1] ** 2)
        return value, np.concatenate([z.T @ slope + 2 * ridge * w[:-1], slope.sum(axis=0)[None]]).ravel()

    start = np.zeros((z.shape[1] + 1) * (BACKGROUND + 1))
    fitted = minimize(loss, start, jac=True, method='L-BFGS-B', options={'maxiter': steps}).x.reshape(z.shape[1] + 1, -1)
    slope = fitted[:-1] / deviation[:, None]
    return slope.T, fitted[-1] - mean @ slope


def find_all(head, folder):
    """Per object, the peaks of every scene of a folder with its truth."""
    network = session(head)
    found = {name: [] for name in NAMES}
    for name in scenes.scene_names(folder):
        voxels, truth = scenes.read_scene(name)
        logit = network.run(None, {'voxels': cropped(voxels)})[0][0]
        logit -= logit.max(axis=0)
        p = np.exp(logit)
        p /= p.sum(axis=0)
        for i, species in enumerate(NAMES):
            position, value = metric.find_peaks(p[i], head['minDistances'][species], VOXEL)
            known = np.array([at for other, at in truth if other == species]).reshape(-1, 3)
            found[species].append((position, value, known))
    return found


def main():
    parser = argparse.ArgumentParser()
    for part in ('train', 'validate', 'test'):
        parser.add_argument(f'--{part}', required=True)
    folders = parser.parse_args()
    random = np.random.default_rng(SEED)
    head = {
        'bands': BANDS,
        'deviation': [1.0] * (len(BANDS) * len(NAMES)),
        'minDistances': {name: round(metric.SEPARATION * radius, 1) for name, radius in metric.RADIUS.items()},
    }
    first = session(head, first_layer_only=True)
    responses, marks = [], []
    for name in scenes.scene_names(folders.train):
        voxels, truth = scenes.read_scene(name)
        responses.append(first.run(None, {'voxels': cropped(voxels)})[0][0])
        marks.append(labels(responses[-1].shape[1:], truth))
    deviation = np.sqrt(np.mean([np.mean(r**2, axis=(1, 2, 3)) for r in responses], axis=0))
    head['deviation'] = [round(float(d), 5) for d in deviation]
    scale = np.array(head['deviation'], np.float32)[:, None, None, None]
    parts = [sample(r / scale, mark, random) for r, mark in zip(responses, marks)]
    weight, bias = logistic(*(np.concatenate(p) for p in zip(*parts)))
    head['weight'] = [[round(float(w), 5) for w in row] for row in weight]
    head['bias'] = [round(float(b), 5) for b in bias]

    validation = find_all(head, folders.validate)
    head['thresholds'] = {name: round(metric.best_threshold(validation[name], name), 3) for name in NAMES}
    rows, total = metric.evaluate(find_all(head, folders.test), head['thresholds'])
    for name, row in rows.items():
        print(f'{name:20s} threshold {head["thresholds"][name]:.3f}  {row}')
    print('total', total, ' validation', metric.evaluate(validation, head['thresholds'])[1])
    source = Path(folders.train, 'SOURCE.txt')
    head['provenance'] = {
        'made': 'Radial matched filters of the density profiles in training/radial/profiles.json (polnet maps, Apache-2.0), '
        'missing wedge of +-60 degrees about y; a multinomial logistic regression on their responses, fitted on simulated scenes.',
        'data': source.read_text().strip() if source.exists() else 'simulated',
        'seed': SEED,
        'scores': {'total': total, 'objects': rows},
        'limits': 'Never saw a real tomogram. Spherical averages cannot tell elongated particles of like mass apart '
        '(thyroglobulin, beta-galactosidase); beta-amylase is hardly found. Protein must be dark, voxels close to 10 A.',
    }
    (Path(__file__).parent / 'head.json').write_text(kernels.compact(json.dumps(head, indent=1)))


if __name__ == '__main__':
    main()
