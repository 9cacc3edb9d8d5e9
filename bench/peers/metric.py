"""The official metric as its notebook (Kaggle, metric/czi-cryoet-84969) computes it: pandas selections and scipy k-d trees."""

import pandas as pd
from files import DATA
from measure import measure
from scipy.spatial import KDTree

RADIUS = {"apo-ferritin": 60, "beta-amylase": 65, "beta-galactosidase": 90, "ribosome": 150, "thyroglobulin": 130, "virus-like-particle": 135}
WEIGHT = {"apo-ferritin": 1, "beta-amylase": 0, "beta-galactosidase": 2, "ribosome": 1, "thyroglobulin": 2, "virus-like-particle": 1}
truth, submission = (pd.read_csv(DATA / f"{name}.csv") for name in ("truth", "submission"))


def places(table, run, name):
    selection = (table["experiment"] == run) & (table["particle_type"] == name)
    return table.loc[selection, ["x", "y", "z"]].to_numpy()


def score():
    counts = {name: [0, 0, 0] for name in RADIUS}
    for run in truth["experiment"].unique():
        for name, total in counts.items():
            references, candidates = places(truth, run, name), places(submission, run, name)
            found = KDTree(candidates).query_ball_tree(KDTree(references), r=RADIUS[name] * 0.5)
            hits = len({index for indices in found for index in indices})
            for slot, count in enumerate((hits, len(candidates) - hits, len(references) - hits)):
                total[slot] += count
    mean = 0.0
    for name, (tp, fp, fn) in counts.items():
        precision, recall = tp / (tp + fp), tp / (tp + fn)
        mean += WEIGHT[name] * (17 * precision * recall / (16 * precision + recall) if precision + recall > 0 else 0.0)
    return mean / sum(WEIGHT.values())


measure("pandas + scipy", score, runs=1)
