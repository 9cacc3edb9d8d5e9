"""Mean, deviation, range and quantiles of a tomogram in memory: numpy."""

import numpy as np
from files import DATA, SHAPE
from measure import measure

volume = np.fromfile(DATA / "tomogram.f32", np.float32).reshape(SHAPE)


def statistics():
    low, high = np.percentile(volume, [1, 99])
    return [float(np.isfinite(volume).mean()), float(volume.mean(dtype=np.float64)), float(volume.std(dtype=np.float64)), float(low), float(high)]


measure("numpy", statistics, runs=1)
