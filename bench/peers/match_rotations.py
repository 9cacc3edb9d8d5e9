"""The search of bench/match-rotations.ts in scipy.fft and numpy.fft: the same volume, kernels, masks and transform lengths.

As training/template-matching does it: real transforms in float32, A. M. Roseman's local normalisation, the running maximum of scores.
"""

import argparse
import json
import os
import pathlib
import time

import numpy as np
import scipy.fft

arguments = argparse.ArgumentParser()
arguments.add_argument("folder", type=pathlib.Path)
arguments.add_argument("--workers", type=int, default=2)
options = arguments.parse_args()
how = json.loads((options.folder / "how.json").read_text())
shape, half, padded = how["shape"], how["half"], how["padded"]
side = 2 * half + 1


def load(name, *dimensions):
    return np.fromfile(options.folder / f"{name}.f32", np.float32).reshape(dimensions)


volume = load("volume", *shape)
kernels = load("kernels", how["count"], side, side, side)
masks = load("masks", how["count"], side, side, side)
expected = load("scores", *shape)

mirrored = np.pad(volume, half, mode="reflect")
mirrored = ((mirrored - mirrored.mean(dtype=np.float64)) / mirrored.std(dtype=np.float64)).astype(np.float32)
FFTS = {
    "scipy.fft": (
        lambda a: scipy.fft.rfftn(a, padded, workers=options.workers),
        lambda a: scipy.fft.irfftn(a, padded, workers=options.workers),
    ),
    "numpy.fft": (
        lambda a: np.fft.rfftn(a, padded, axes=(0, 1, 2)),
        lambda a: np.fft.irfftn(a, padded, axes=(0, 1, 2)),
    ),
}


def search(forward, inverse, count):
    whole, squares = forward(mirrored), forward(mirrored * mirrored)

    def correlate(kernel, spectrum):
        product = forward(kernel)
        np.conjugate(product, out=product)
        product *= spectrum
        return inverse(product)[: shape[0], : shape[1], : shape[2]]

    def inverse_deviation(mask):
        weight = mask.sum(dtype=np.float64)
        variance = correlate(mask, squares) - correlate(mask, whole) ** 2 / weight
        return np.where(variance > 1e-4 * weight, 1 / np.sqrt(np.maximum(variance, 1e-30)), 0).astype(np.float32)

    best = np.full(shape, -np.inf, np.float32)
    winner = np.zeros(shape, np.uint16)
    deviation = None if how["turns"] else inverse_deviation(masks[0])
    start, used = time.perf_counter(), time.process_time()
    for index in range(count):
        scores = correlate(kernels[index], whole)
        scores = scores * (inverse_deviation(masks[index]) if how["turns"] else deviation)
        better = scores > best
        best[better] = scores[better]
        winner[better] = index
    return best, (time.perf_counter() - start) / count, (time.process_time() - used) / count


for name, (forward, inverse) in FFTS.items():
    best, wall, cpu = search(forward, inverse, how["count"] if name == "scipy.fft" else min(4, how["count"]))
    print(f"{name}: {wall:.3f} s a rotation, {cpu:.3f} s of processors")
    if name == "scipy.fft":
        inside = tuple(slice(half, length - half) for length in shape)
        print(f"largest difference of scores, away from the faces: {np.abs(best - expected)[inside].max():.1e}")
        print(f"same highest place: {np.unravel_index(best[inside].argmax(), best[inside].shape) == np.unravel_index(expected[inside].argmax(), best[inside].shape)}")
