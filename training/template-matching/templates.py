"""Density maps as templates: rotated, imaged, masked, normalised."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.fft as fft
from scipy.ndimage import affine_transform

from imaging import transfer
from rotations import symmetry_group

# Voxels along each edge of the box in which a template is imaged: the largest particle and room for its fringes.
BOX = 64


@dataclass(frozen=True)
class Particle:
    """A map of the folder, the radius (voxels) of its mask, and its symmetry with the turn (quaternion) that the map has it in.
    The turns were fitted: the maps correlate with their own symmetric images by 0.9997 and more."""

    name: str
    map: str
    mask: float
    symmetry: str
    frame: tuple = (0, 0, 0, 1)


# The capsid's map is not symmetric to the degree that its shell is (mean correlation with icosahedral images 0.66): searched in full.
PARTICLES = [
    Particle('apo-ferritin', '6pxm', 9, 'O'),
    Particle('beta-galactosidase', '1f4a', 11, 'D2', (-0.6845, -0.1693, -0.163, 0.6901)),
    Particle('ribosome', '6qzp', 17, 'C1'),
    Particle('thyroglobulin', '7n4y', 14.5, 'C2', (0.5135, 0.4899, 0.5125, 0.4834)),
    Particle('virus-like-particle', '8tux', 18, 'C1'),
]


def read_mrc(path):
    """Data [z, y, x] and voxel size (A) of a mode 2 MRC file."""
    raw = Path(path).read_bytes()
    nx, ny, nz, mode = np.frombuffer(raw, '<i4', 4)
    assert mode == 2, f'{path}: MRC mode {mode}, expected 2'
    extra = int(np.frombuffer(raw, '<i4', 1, 92)[0])
    data = np.frombuffer(raw, '<f4', nx * ny * nz, 1024 + extra).reshape(nz, ny, nx)
    return data.astype(np.float32), float(np.frombuffer(raw, '<f4', 1, 40)[0] / nx)


def sphere(radius):
    """Mask [z, y, x] of odd edges: 1 within the radius (voxels), falling to 0 over the next voxel."""
    reach = int(np.ceil(radius)) + 1
    z, y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1, -reach : reach + 1]
    return np.clip(radius + 1 - np.sqrt(z**2 + y**2 + x**2), 0, 1).astype(np.float32)


class Template:
    """A particle that can be had in any rotation, as it looks in a tomogram of this voxel size, protein negative."""

    def __init__(self, particle, folder, voxel_size):
        self.name = particle.name
        self.group = symmetry_group(particle.symmetry, particle.frame)
        self.mask = sphere(particle.mask)
        self.density, self.spacing = read_mrc(Path(folder) / f'{particle.map}.mrc')
        weight = np.clip(self.density, 0, None)
        self.centre = np.array([(weight * g).sum() / weight.sum() for g in np.indices(weight.shape)])
        self.zoom = voxel_size / self.spacing
        self.transfer = transfer((BOX, BOX, BOX), voxel_size)

    def rotated(self, rotation):
        """Weights [z, y, x] on voxels under the mask, so that their sum is the correlation once divided by the local deviation."""
        turn = rotation.as_matrix().T * self.zoom
        middle = np.full(3, BOX // 2)
        density = affine_transform(self.density, turn, self.centre - turn @ middle, (BOX, BOX, BOX), order=1)
        seen = fft.irfftn(fft.rfftn(density) * self.transfer, s=density.shape)
        reach = self.mask.shape[0] // 2
        inside = slice(BOX // 2 - reach, BOX // 2 + reach + 1)
        values, mask = -seen[inside, inside, inside], self.mask
        total = mask.sum()
        values = values - (mask * values).sum() / total
        deviation = np.sqrt((mask * values**2).sum() / total)
        return (mask * values / (deviation * total)).astype(np.float32)
