"""Greedy suppression of a million candidates with scipy's k-d tree: best first, drop all that lie closer."""

import numpy as np
from files import points
from measure import measure
from scipy.spatial import cKDTree

rows = points()


def suppress():
    order = np.argsort(-rows[:, 3], kind="stable")
    places = rows[order, :3]
    tree = cKDTree(places)
    alive = np.ones(len(places), bool)
    kept = 0
    for i in range(len(places)):
        if not alive[i]:
            continue
        kept += 1
        for j in tree.query_ball_point(places[i], 60 * (1 - 1e-12)):
            if j > i:
                alive[j] = False
    return kept


measure("cKDTree greedy loop", suppress, runs=1)
