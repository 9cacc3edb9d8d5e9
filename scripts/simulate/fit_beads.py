"""Fits compact bead models (sums of Gaussians) to density maps and writes src/simulate/data/beads.json.

    pip install -r scripts/simulate/requirements.txt
    python scripts/simulate/fit_beads.py ../shared/data/maps src/simulate/data/beads.json

Reads the maps of polnet (https://github.com/anmartinezs/polnet, Apache-2.0), 10 Å per voxel, protein positive: `czii/*.mrc`
and `decoys/*.mrc`. The two folders have different scales; both are divided by the density of solid protein in them, so
that 1 means protein everywhere. Beads share one width per species; positions and weights minimise the squared error by
L-BFGS from seeded weighted k-means. Lengths in the table are integers of 0.1 Å, weights integers of 0.001 (peak height of
the Gaussian). The centre of mass of every model is its origin.
"""

import json
import os
import struct
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.optimize import minimize
from scipy.spatial import cKDTree

SEED = 20241106
VOXEL = 10.0
# Density of solid protein: the plateau inside large particles, one of two scales (21 ± 1 or 226 ± 8); 2uv8 has czii's.
PROTEIN = {"czii": 20.5, "decoys": 225.0, "2uv8": 20.5}
# PDB id, name, number of beads. The name of a competition species is the object's name in copick.
SPECIES = [
    ("czii", "6pxm", "apo-ferritin", 150),
    ("czii", "1f4a", "beta-galactosidase", 150),
    ("czii", "6qzp", "ribosome", 600),
    ("czii", "7n4y", "thyroglobulin", 200),
    ("czii", "8tux", "virus-like-particle", 600),
    ("decoys", "1bxn", "rubisco", 90),
    ("decoys", "1qvr", "clpb", 100),
    ("decoys", "1s3x", "hsp70-atpase-domain", 24),
    ("decoys", "1u6g", "cand1-cul1", 90),
    ("decoys", "2cg9", "hsp90", 70),
    ("decoys", "2uv8", "fatty-acid-synthase", 320),
    ("decoys", "3cf3", "p97", 90),
    ("decoys", "3d2f", "hsp110-hsp70", 90),
    ("decoys", "3gl1", "hsp70", 36),
    ("decoys", "3h84", "get3", 36),
    ("decoys", "3j9i", "proteasome-20s", 160),
    ("decoys", "3qm1", "esterase", 20),
    ("decoys", "4cr2", "proteasome-26s", 260),
    ("decoys", "4v94", "chaperonin-tric", 300),
    ("decoys", "5mrc", "mitoribosome", 360),
    ("decoys", "6utj", "proteasome-20s-pa26", 200),
]


def read_mrc(path):
    raw = open(path, "rb").read()
    nx, ny, nz, mode = struct.unpack("<4i", raw[:16])
    (extended,) = struct.unpack("<i", raw[92:96])
    assert mode == 2, path
    return np.frombuffer(raw, "<f4", nx * ny * nz, 1024 + extended).reshape(nz, ny, nx).astype(float)


def kmeans(points, weights, count, rng):
    centres = points[rng.choice(len(points), count, replace=False, p=weights / weights.sum())]
    for _ in range(25):
        owner = cKDTree(centres).query(points)[1]
        total = np.bincount(owner, weights, count)
        sums = np.stack([np.bincount(owner, weights * points[:, a], count) for a in range(3)], 1)
        centres = np.where(total[:, None] > 0, sums / np.maximum(total, 1e-9)[:, None], centres)
    return centres, np.maximum(total, 1e-3)


def evaluate(parameters, target, count):
    """Squared error and its gradient; parameters are log sigma, then log weights, then positions in voxels."""
    sigma = np.exp(parameters[0])
    weight = np.exp(parameters[1 : 1 + count])
    position = parameters[1 + count :].reshape(count, 3)
    profiles, slopes, widths = [], [], []
    for axis in range(3):
        d = np.arange(target.shape[axis])[None] - position[:, axis : axis + 1]
        g = np.exp(-0.5 * (d / sigma) ** 2)
        profiles.append(g)
        slopes.append(g * d / sigma**2)
        widths.append(g * (d / sigma) ** 2)
    gz, gy, gx = profiles
    nz, ny, nx = target.shape
    model = (gz * weight[:, None]).T @ (gy[:, :, None] * gx[:, None, :]).reshape(count, -1)
    residual = model.reshape(target.shape) - target
    norm = (target**2).sum()
    along_x = np.tensordot(residual, gx, (2, 1))  # z y n
    xy = np.einsum("zyn,ny->nz", along_x, gy)
    dx = np.einsum("zyn,ny,nz->n", np.tensordot(residual, slopes[2], (2, 1)), gy, gz)
    wx = np.einsum("zyn,ny,nz->n", np.tensordot(residual, widths[2], (2, 1)), gy, gz)
    dy = np.einsum("zyn,ny,nz->n", along_x, slopes[1], gz)
    wy = np.einsum("zyn,ny,nz->n", along_x, widths[1], gz)
    gradient_weight = (xy * gz).sum(1) * weight
    gradient_position = np.stack([(xy * slopes[0]).sum(1), dy, dx], 1) * weight[:, None]
    gradient_sigma = (weight * ((xy * widths[0]).sum(1) + wy + wx)).sum()
    gradient = np.concatenate([[gradient_sigma], gradient_weight, gradient_position.ravel()]) * 2 / norm
    return (residual**2).sum() / norm, gradient


def fit(folder, pdb, name, count, root):
    density = read_mrc(os.path.join(root, folder, f"{pdb}.mrc")) / PROTEIN.get(pdb, PROTEIN[folder])
    inside = np.argwhere(density > 0.02)
    low = np.maximum(inside.min(0) - 3, 0)
    high = np.minimum(inside.max(0) + 4, density.shape)
    target = density[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    rng = np.random.default_rng([SEED, *pdb.encode()])
    points = np.argwhere(target > 0.1)
    centres, mass = kmeans(points.astype(float), target[tuple(points.T)], count, rng)
    sigma = 0.9
    start = np.concatenate([[np.log(sigma)], np.log(mass / (2 * np.pi * sigma**2) ** 1.5), centres.ravel()])
    bounds = [(np.log(0.6), np.log(1.2))] + [(np.log(1e-3), np.log(20))] * count + [(None, None)] * (3 * count)
    result = minimize(evaluate, start, (target, count), "L-BFGS-B", jac=True, bounds=bounds, options={"maxiter": 150})
    sigma = round(float(np.exp(result.x[0])) * VOXEL, 1)
    weight = np.exp(result.x[1 : 1 + count])
    position = result.x[1 + count :].reshape(count, 3) * VOXEL
    centre = (weight[:, None] * position).sum(0) / weight.sum()
    beads = np.concatenate([np.round((position - centre)[:, ::-1] * 10), np.round(weight[:, None] * 1000)], 1).astype(int)
    beads = beads[beads[:, 3] > 0]
    stored = np.concatenate(
        [[np.log(sigma / VOXEL)], np.log(beads[:, 3] / 1000), ((beads[:, 2::-1] / 10 + centre) / VOXEL).ravel()]
    )
    error = float(np.sqrt(evaluate(stored, target, len(beads))[0]))
    grid = np.indices(target.shape)
    weight_map = np.clip(target, 0, None)
    com = [(weight_map * g).sum() / weight_map.sum() for g in grid]
    distance = np.sqrt(sum((g - c) ** 2 for g, c in zip(grid, com))).ravel() * VOXEL
    order = np.argsort(distance, kind="stable")
    share = np.cumsum(weight_map.ravel()[order]) / weight_map.sum()
    radius = float(distance[order][np.searchsorted(share, 0.9)])
    volume = float(weight_map.sum() * VOXEL**3)
    correlation = float(np.sqrt(max(0.0, 1 - error**2 / (1 - (target.mean() ** 2) * target.size / (target**2).sum()))))
    print(f"{pdb} {name}: {len(beads)} beads of {sigma} Å, error {error:.3f}, correlation {correlation:.4f}, radius {radius:.0f} Å", flush=True)
    return {
        "name": name,
        "pdbId": pdb,
        "kind": "particle" if folder == "czii" else "decoy",
        "sigma": sigma,
        "radius": round(radius, 1),
        "volume": round(volume),
        "relativeError": round(error, 4),
        "correlation": round(correlation, 4),
        "beads": beads.ravel().tolist(),
    }


def main():
    root, out = sys.argv[1:]
    with ThreadPoolExecutor(int(os.environ.get("WORKERS", "1"))) as pool:
        species = list(pool.map(lambda s: fit(*s, root), SPECIES))
    table = {
        "source": "Fitted by scripts/simulate/fit_beads.py to the density maps of polnet (https://github.com/anmartinezs/polnet), "
        "Copyright 2023 Antonio Martinez-Sanchez, Apache License 2.0; atomic models from the Protein Data Bank (CC0).",
        "units": "sigma, radius in Å; volume in Å³ of solid protein; beads: x, y, z in 0.1 Å about the centre of mass, peak density "
        "in 0.001 of solid protein, one bead after the other",
        "seed": SEED,
    }
    head = json.dumps(table, ensure_ascii=False, indent=1)[:-2]
    rows = ",\n  ".join(json.dumps(s, separators=(",", ":")) for s in species)
    with open(out, "w") as file:
        file.write(f'{head},\n "species": [\n  {rows}\n ]\n}}\n')
    print(os.path.getsize(out), "bytes")


main()
