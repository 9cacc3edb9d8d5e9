"""What the tilt series and the filter leave of a density, as docs/reference/simulation.md has it at its defaults: a template is given the
same, which is what a user of template matching knows of his own data (tilts, defocus, dose) and cannot know better."""

import numpy as np

TILT = 45.0
WEDGE_EDGE = 2.0
ICE, ATTENUATION = 1350.0, 1800.0
WAVELENGTH, DEFOCUS, AMPLITUDE = 0.0197, 3e4, 0.07
WIENER, BLUR, DOSE = 0.008, 8.0, 120.0


def transfer(shape, voxel_size):
    """Factors, float32 [z, y, x/2+1], on the real transform of a density: wedge, contrast transfer, Wiener filter, blur, damage."""
    kz, ky = (np.fft.fftfreq(n, voxel_size) for n in shape[:2])
    kx = np.fft.rfftfreq(shape[2], voxel_size)
    z, y, x = np.meshgrid(kz, ky, kx, indexing='ij', sparse=True)
    squared = z**2 + y**2 + x**2
    tilt = np.degrees(np.arctan2(np.abs(z), np.abs(x)))
    seen = np.clip((TILT - tilt) / WEDGE_EDGE, 0, 1)
    seen = seen * np.exp(-ICE / ATTENUATION * (1 / np.maximum(0.05, np.cos(np.radians(tilt))) - 1))
    phase = np.pi * WAVELENGTH * squared * DEFOCUS
    contrast = np.sqrt(1 - AMPLITUDE**2) * np.sin(phase) + AMPLITUDE * np.cos(phase)
    restored = contrast**2 / (contrast**2 + WIENER) * np.exp(-2 * np.pi**2 * BLUR**2 * squared)
    k = np.maximum(np.sqrt(squared), 1e-6)
    damage = np.exp(-DOSE / (0.245 * k**-1.665 + 2.81) * tilt / TILT)
    return (seen * restored * damage).astype(np.float32)
