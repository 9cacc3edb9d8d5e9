"""Measures the radial density profile of each species from its density map and writes profiles.json.

The maps are those of polnet (Apache-2.0), 10 A per voxel, protein positive. Beta-amylase has no map among them: its row is a
soft ball 65 A across, as dense as beta-galactosidase at its densest.

    python measure_profiles.py MAPS_FOLDER
"""

import json
import sys
from pathlib import Path

import numpy as np

import kernels

MAPS = {
    'apo-ferritin': '6pxm',
    'beta-galactosidase': '1f4a',
    'ribosome': '6qzp',
    'thyroglobulin': '7n4y',
    'virus-like-particle': '8tux',
}
ORDER = ['apo-ferritin', 'beta-amylase', 'beta-galactosidase', 'ribosome', 'thyroglobulin', 'virus-like-particle']
STEP = 5.0
END = 200.0
AMYLASE_RADIUS = 32.5
AMYLASE_EDGE = 5.0


def read_mrc(path):
    """Data [z, y, x] and voxel size of a mode 2 MRC file."""
    raw = path.read_bytes()
    nx, ny, nz, mode = np.frombuffer(raw, '<i4', 4)
    assert mode == 2, f'{path}: MRC mode {mode}, expected 2'
    extent = np.frombuffer(raw, '<f4', 3, 40)
    extra = int(np.frombuffer(raw, '<i4', 1, 92)[0])
    data = np.frombuffer(raw, '<f4', nx * ny * nz, 1024 + extra).reshape(nz, ny, nx)
    return data.astype(np.float64), float(extent[0] / nx)


def radial_profile(density, voxel_size):
    """Mean density on spheres about the centroid, at 0, STEP, 2 STEP ... A, by tri-linear sampling of 2000 directions."""
    grid = np.indices(density.shape)
    weight = np.clip(density, 0, None)
    centre = [(weight * g).sum() / weight.sum() for g in grid]
    i = np.arange(2000) + 0.5
    polar, azimuth = np.arccos(1 - 2 * i / 2000), np.pi * (1 + 5**0.5) * i
    direction = np.stack([np.cos(polar), np.sin(polar) * np.sin(azimuth), np.sin(polar) * np.cos(azimuth)])
    padded = np.pad(density, 30)
    profile = []
    for r in np.arange(0, END + STEP / 2, STEP):
        p = direction * (r / voxel_size) + np.array(centre)[:, None] + 30
        base = np.floor(p).astype(int)
        f = p - base
        total = 0
        for dz, dy, dx in np.ndindex(2, 2, 2):
            w = np.prod([f[a] if d else 1 - f[a] for a, d in enumerate((dz, dy, dx))], axis=0)
            total = total + w * padded[base[0] + dz, base[1] + dy, base[2] + dx]
        profile.append(float(total.mean()))
    return profile


def ball(density):
    r = np.arange(0, END + STEP / 2, STEP)
    return [float(v) for v in density / (1 + np.exp((r - AMYLASE_RADIUS) / AMYLASE_EDGE))]


def main():
    folder = Path(sys.argv[1])
    profiles = {}
    for name, code in MAPS.items():
        density, voxel_size = read_mrc(folder / f'{code}.mrc')
        profiles[name] = radial_profile(density, voxel_size)
    profiles['beta-amylase'] = ball(max(profiles['beta-galactosidase']))
    table = {
        'source': 'Density maps of polnet (https://github.com/anmartinezs/polnet), Apache-2.0, 10 A per voxel, protein positive; '
        'mean over spheres about the centroid. Beta-amylase: a soft ball, no map.',
        'maps': MAPS,
        'unit': 'density as in the maps; radius in A',
        'step': STEP,
        'profiles': {name: [round(v, 3) + 0.0 for v in profiles[name]] for name in ORDER},
    }
    text = json.dumps(table, indent=1)
    Path(__file__).with_name('profiles.json').write_text(kernels.compact(text))


if __name__ == '__main__':
    main()
