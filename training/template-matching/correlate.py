"""Local normalised cross-correlation of a volume with a masked template, by Fourier transforms in single precision.

A. M. Roseman, Particle finding in electron micrographs using a fast local correlation algorithm, Ultramicroscopy 94, 225-236
(2003): at each place mean and deviation of the volume are those under the template's mask.
"""

import numpy as np
import scipy.fft as fft


class Volume:
    """A volume [z, y, x] behind whose ends there is room for the widest mask, so that opposite faces do not meet."""

    def __init__(self, voxels, reach):
        self.shape = voxels.shape
        self.lengths = tuple(fft.next_fast_len(n + reach, real=True) for n in voxels.shape)
        voxels = (voxels - voxels.mean(dtype=np.float64)) / voxels.std(dtype=np.float64)
        self.padded = np.zeros(self.lengths, np.float32)
        self.padded[tuple(slice(n) for n in voxels.shape)] = voxels
        self.transform = fft.rfftn(self.padded)

    def correlated(self, weights_transform, transform=None):
        """Sums of the volume times weights around each voxel, [z, y, x] of the padded volume."""
        product = (self.transform if transform is None else transform) * weights_transform
        return fft.irfftn(product, s=self.lengths, overwrite_x=True)

    def local_deviation(self, mask):
        """Deviation (float32) of the volume under a mask around each voxel."""
        weights = transformed(mask / mask.sum(), self.lengths)
        mean = self.correlated(weights)
        squares = self.correlated(weights, fft.rfftn(self.padded**2))
        return np.sqrt(np.maximum(squares - mean**2, 1e-4))


def transformed(weights, lengths):
    """Conjugate transform of weights about the middle voxel of their box. Lines that hold nothing are not transformed."""
    along_x = fft.rfft(weights, lengths[2], axis=2)
    along_y = fft.fft(along_x, lengths[1], axis=1, overwrite_x=True)
    spectrum = np.conj(fft.fft(along_y, lengths[0], axis=0, overwrite_x=True))
    for axis, (n, edge) in enumerate(zip(lengths, weights.shape)):
        k = fft.rfftfreq(n) if axis == 2 else fft.fftfreq(n)
        shift = np.exp(-2j * np.pi * k * (edge // 2)).astype(np.complex64)
        spectrum *= shift.reshape([-1 if a == axis else 1 for a in range(3)])
    return spectrum


def best_correlations(volumes, template, rotations):
    """Of each volume (equal in shape), the greatest correlation (-1 ... 1) over all rotations at each voxel, float32 [z, y, x]."""
    best = [np.full(volume.lengths, -np.inf, np.float32) for volume in volumes]
    for rotation in rotations:
        weights = transformed(template.rotated(rotation), volumes[0].lengths)
        for volume, so_far in zip(volumes, best):
            np.maximum(so_far, volume.correlated(weights), out=so_far)
    inside = tuple(slice(n) for n in volumes[0].shape)
    return [(so_far / volume.local_deviation(template.mask))[inside] for volume, so_far in zip(volumes, best)]
