"""Fits the second layer and the thresholds on simulated scenes and writes head.json.

    python fit.py --train DIR --validate DIR --test DIR

The filters are fixed; the competition is a small network of two layers on their responses and the maxima of these
over neighbourhoods, fitted by cross-entropy. Thresholds are those of the best F4 on the validation scenes; the score is that of the test scenes.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime
from scipy.optimize import minimize

import build
import kernels
import metric
import scenes

NAMES = list(kernels.load_profiles()['profiles'])
BACKGROUND = len(NAMES)
VOXEL = kernels.CELL / 2
BANDS = [
    {'white': 1.0, 'low': 0.0, 'corner': 0.1},
    {'white': 0.05, 'low': 1.0, 'corner': 0.12},
    {'white': 0.003, 'low': 1.0, 'corner': 0.05},
]
SEED = 20241106
POSITIVE = 18.0
IGNORED = 0.45
KEPT = 0.0015
NEGATIVE = 0.1
HIDDEN = 32
RIDGE = 1e-6
STEPS = 300


def session(head, features_only=False):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    content = build.model_bytes(head, features_only)
    return onnxruntime.InferenceSession(content, options, providers=['CPUExecutionProvider'])


def cropped(voxels):
    depth, height, width = (n - n % 2 for n in voxels.shape)
    return np.ascontiguousarray(voxels[:depth, :height, :width])[None, None]


def raw(network, name):
    """Features [feature, z, y, x] of a scene, and its truth."""
    voxels, truth = scenes.read_scene(name)
    return network.run(None, {'voxels': cropped(voxels)})[0][0], truth


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


def sample(features, label, random):
    """Features, classes and weights of all cells on particles and of a share of the others, more where filters respond."""
    response = features[: len(BANDS) * len(NAMES)].max(axis=0).ravel()
    flat, label = features.reshape(len(features), -1), label.ravel()
    positive = np.flatnonzero((label >= 0) & (label < BACKGROUND))
    negative = np.flatnonzero(label == BACKGROUND)
    share = np.minimum(1, KEPT * np.maximum(1, np.maximum(response[negative], 0) ** 3 / 3))
    taken = random.random(len(negative)) < share
    index = np.concatenate([positive, negative[taken]])
    weight = np.concatenate([np.ones(len(positive)), NEGATIVE / share[taken]])
    return flat[:, index].T.astype(np.float32), label[index], weight


def fit_head(x, y, weight, random):
    """Two layers, fitted by weighted cross-entropy: {'hidden': ..., 'output': ...} with the scaling of x folded in."""
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    z, target = (x - mean) / deviation, np.eye(BACKGROUND + 1, dtype=np.float32)[y]
    weight = (weight / weight.sum()).astype(np.float32)
    shapes = [(z.shape[1], HIDDEN), (HIDDEN,), (HIDDEN, BACKGROUND + 1), (BACKGROUND + 1,)]
    ends = np.cumsum([0] + [int(np.prod(shape)) for shape in shapes])

    def split(flat):
        return [flat[a:b].reshape(shape).astype(np.float32) for a, b, shape in zip(ends, ends[1:], shapes)]

    def loss(flat):
        a, b, c, d = split(flat)
        inner = np.maximum(z @ a + b, 0)
        logit = inner @ c + d
        logit -= logit.max(axis=1, keepdims=True)
        p = np.exp(logit)
        p /= p.sum(axis=1, keepdims=True)
        slope = (p - target) * weight[:, None]
        back = (slope @ c.T) * (inner > 0)
        value = -np.sum(weight * np.log(p[np.arange(len(y)), y] + 1e-30), dtype=np.float64)
        value += RIDGE * (np.sum(a**2, dtype=np.float64) + np.sum(c**2, dtype=np.float64))
        parts = [z.T @ back + 2 * RIDGE * a, back.sum(axis=0), inner.T @ slope + 2 * RIDGE * c, slope.sum(axis=0)]
        return value, np.concatenate([part.ravel() for part in parts]).astype(np.float64)

    start = np.concatenate([(random.normal(size=shape) / np.sqrt(shape[0])).ravel() for shape in shapes])
    fitted = minimize(loss, start, jac=True, method='L-BFGS-B', options={'maxiter': STEPS, 'maxfun': 2 * STEPS})
    print(len(y), 'cells,', np.bincount(y), 'loss', round(fitted.fun, 5), fitted.nit, 'steps', flush=True)
    a, b, c, d = split(fitted.x)
    a = a / deviation[:, None]
    return {'hidden': layer(a, b - mean @ a), 'output': layer(c, d)}


def layer(weight, bias):
    return {'weight': [[round(float(w), 5) for w in row] for row in weight.T], 'bias': [round(float(b), 5) for b in bias]}


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


def fit_network(folder):
    """Filters' scale and the competition's weights, from the scenes of a folder."""
    random = np.random.default_rng(SEED)
    head = {
        'bands': BANDS,
        'deviation': [1.0] * (len(BANDS) * len(NAMES)),
        'minDistances': {name: round(metric.SEPARATION * radius, 1) for name, radius in metric.RADIUS.items()},
    }
    train = scenes.scene_names(folder)
    count = len(BANDS) * len(NAMES)
    first = session(head, features_only=True)
    power = [np.mean(raw(first, name)[0][:count] ** 2, axis=(1, 2, 3)) for name in train[:2]]
    head['deviation'] = [round(float(d), 5) for d in np.sqrt(np.mean(power, axis=0))]
    parts, first = [], session(head, features_only=True)
    for name in train:
        features, truth = raw(first, name)
        parts.append(sample(features, labels(features.shape[1:], truth), random))
    return head | fit_head(*(np.concatenate(part) for part in zip(*parts)), np.random.default_rng(SEED + 1))


def calibrate(head, train, validate, test):
    """Adds thresholds, the test scores and the card's provenance."""
    validation = find_all(head, validate)
    head['thresholds'] = {name: round(metric.best_threshold(validation[name], name), 3) for name in NAMES}
    rows, total = metric.evaluate(find_all(head, test), head['thresholds'])
    for name, row in rows.items():
        print(f'{name:20s} threshold {head["thresholds"][name]:.3f}  {row}')
    print('total', total, ' validation', metric.evaluate(validation, head['thresholds'])[1])
    source = [(Path(folder) / 'SOURCE.txt').read_text().strip() for folder in (train, validate, test)]
    head['provenance'] = {
        'made': 'training/radial: matched filters of the radial density profiles in profiles.json (polnet maps, Apache-2.0), '
        'and a competition between the classes, fitted on simulated tomograms.',
        'data': dict(zip(('train', 'validate', 'test'), source)),
        'seed': SEED,
        'scores': {'metric': 'F4 of the competition on the simulated test scenes', 'total': total, 'objects': rows},
        'limits': 'Never saw a real tomogram. Spherical averages cannot tell elongated particles of like mass apart '
        '(thyroglobulin, beta-galactosidase); beta-amylase is hardly found. Protein must be dark, voxels close to 10 A.',
    }
    (Path(__file__).parent / 'head.json').write_text(kernels.compact(json.dumps(head, indent=1)))


def main():
    parser = argparse.ArgumentParser()
    for part in ('train', 'validate', 'test'):
        parser.add_argument(f'--{part}', required=True)
    folders = parser.parse_args()
    calibrate(fit_network(folders.train), folders.train, folders.validate, folders.test)


if __name__ == '__main__':
    main()
