"""Peaks of score maps and the competition's metric: F-beta with beta 4, a hit within half the particle's radius."""

import numpy as np
from scipy.spatial import cKDTree

RADIUS = {
    'apo-ferritin': 60,
    'beta-amylase': 65,
    'beta-galactosidase': 90,
    'ribosome': 150,
    'thyroglobulin': 130,
    'virus-like-particle': 135,
}
WEIGHT = {
    'apo-ferritin': 1,
    'beta-amylase': 0,
    'beta-galactosidase': 2,
    'ribosome': 1,
    'thyroglobulin': 2,
    'virus-like-particle': 1,
}
# Of the radius; no two picks of an object are closer.
SEPARATION = 0.8


def find_peaks(scores, separation, voxel_size, floor=0.002):
    """Local maxima of a map of stride 2 as positions x, y, z (A) and scores, best first, none closer than the separation."""
    index = np.argwhere(scores > floor)
    value = scores[tuple(index.T)]
    padded = np.pad(scores, 1)
    steps = [step for step in np.ndindex(3, 3, 3) if step != (1, 1, 1)]
    peak = np.all([value >= padded[tuple((index + step).T)] for step in steps], axis=0)
    index, value = index[peak], value[peak]
    order = np.argsort(-value, kind='stable')
    position, value = ((2 * index + 0.5) * voxel_size)[order][:, ::-1], value[order]
    if len(position) == 0:
        return np.zeros((0, 3)), np.zeros(0)
    near = cKDTree(position).query_ball_point(position, separation)
    alive = np.ones(len(position), bool)
    for i, neighbours in enumerate(near):
        if alive[i]:
            alive[[j for j in neighbours if j > i]] = False
    return position[alive], value[alive]


def hits(picks, truth, radius):
    """Number of true positions that have a pick within half a radius."""
    if len(picks) == 0 or len(truth) == 0:
        return 0
    return int(np.sum(np.isfinite(cKDTree(picks).query(truth, distance_upper_bound=radius / 2 + 1e-9)[0])))


def f_beta(tp, picks, truth):
    return 17 * tp / (16 * truth + picks) if picks + truth else 0.0


def count(found, name, threshold):
    """Hits, picks and true particles of one object over scenes; found holds (positions, scores, truth) of each."""
    tp = sum(hits(position[value >= threshold], truth, RADIUS[name]) for position, value, truth in found)
    picks = sum(int(np.sum(value >= threshold)) for _, value, _ in found)
    return tp, picks, sum(len(truth) for _, _, truth in found)


def best_threshold(found, name, steps=80):
    """The middle, by ratio, of the thresholds whose smoothed F-beta is within 0.004 of the greatest: no lucky peak, no edge."""
    values = np.concatenate([value for _, value, _ in found])
    candidates = np.exp(np.linspace(np.log(0.003), np.log(0.95), steps))
    candidates = candidates[candidates <= max(values.max(initial=0.01), 0.01)]
    curve = np.array([f_beta(*count(found, name, t)) for t in candidates])
    padded = np.pad(curve, 4, mode='edge')
    smooth = np.convolve(padded, np.ones(9) / 9, mode='valid')
    good = candidates[smooth >= smooth.max() - 0.004]
    return float(np.sqrt(good[0] * good[-1]))


def evaluate(found_by_name, thresholds):
    """F-beta, precision and recall per object, and the weighted total."""
    rows, total = {}, 0.0
    for name, found in found_by_name.items():
        tp, picks, truth = count(found, name, thresholds[name])
        rows[name] = {
            'f4': round(f_beta(tp, picks, truth), 3),
            'precision': round(tp / max(picks, 1), 3),
            'recall': round(tp / max(truth, 1), 3),
            'truth': truth,
        }
        total += WEIGHT[name] * f_beta(tp, picks, truth) / 7
    return rows, round(total, 4)
