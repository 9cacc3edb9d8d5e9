"""The files that bench/make_data.py made."""

import json
from pathlib import Path

import numpy as np

SHAPE = (184, 630, 630)
DATA = Path(__file__).parent.parent / "data"


def scores():
    return np.fromfile(DATA / "scores.f32", np.float32).reshape(SHAPE)


def thresholds():
    return json.loads((DATA / "thresholds.json").read_text())


def points():
    """One million rows of x, y, z in Å and a score."""
    return np.fromfile(DATA / "points.f64").reshape(-1, 4)
