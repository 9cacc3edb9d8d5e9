"""Turns radial density profiles into the matched filters of the network's first layer.

A species' rotationally averaged density is laid on the network's grid (cells of 2x2x2 voxels), its Fourier transform is multiplied by what
the tilt series and the reconstruction keep (missing wedge about y, contrast transfer, blur), divided by a power spectrum of what
is not the particle, made zero-mean, and negated, since protein is dark. For stationary noise of that spectrum this is the filter
of Fisher's linear discriminant; each species has one filter per assumed spectrum ("band").
"""

import json
import re
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SIDE = 15
CELL = 2 * 10.012444
TILT = 45.0
TILT_EDGE = 4.0
TILT_FALL_OFF = 27.0
DEFOCUS = 3e4
BLUR = 8.0
GRID = 48
FINE = 4


def load_profiles():
    return json.loads((HERE / 'profiles.json').read_text())


def compact(text):
    """Puts lists of numbers in indented JSON on one line each."""
    return re.sub(r'\[\s+([-\d.,e\s]+?)\s+\]', lambda m: '[' + re.sub(r'\s+', ' ', m.group(1)) + ']', text) + '\n'


def average_density(profile, step):
    """The profile as a ball on a GRID^3 lattice of cells, averaged over FINE^3 points of each cell. Centre at index GRID / 2."""
    n = 10
    points = (np.arange(-n * FINE - FINE // 2, n * FINE + FINE - FINE // 2) + 0.5) / FINE * CELL
    squared = points**2
    radius = np.sqrt(squared[:, None, None] + squared[None, :, None] + squared[None, None, :])
    fine = np.interp(radius, np.arange(len(profile)) * step, profile, right=0.0)
    m = 2 * n + 1
    coarse = fine.reshape(m, FINE, m, FINE, m, FINE).mean(axis=(1, 3, 5))
    density = np.zeros((GRID,) * 3)
    lo = GRID // 2 - n
    density[lo : lo + m, lo : lo + m, lo : lo + m] = coarse
    return density


def frequencies():
    k = np.fft.fftfreq(GRID)
    return k[:, None, None], k[None, :, None], k[None, None, :]


def imaging():
    """What a tilt series about y, deconvolved of its contrast transfer and denoised, keeps of each frequency. Axes z, y, x.

    The tilt range and its fall-off are those measured in the competition's tomograms; see src/simulate/imaging.ts.
    """
    kz, ky, kx = (k / CELL for k in frequencies())
    with np.errstate(divide='ignore', invalid='ignore'):
        tilt = np.degrees(np.arctan(np.abs(kz) / np.abs(kx)))
    tilt = np.where((kz == 0) & (kx == 0), 0.0, tilt)
    views = np.clip((TILT - tilt) / TILT_EDGE, 0, 1) * np.exp(-0.5 * (tilt / TILT_FALL_OFF) ** 2)
    squared = kz**2 + ky**2 + kx**2
    phase = np.pi * 0.0197 * DEFOCUS * squared
    contrast = np.sqrt(1 - 0.07**2) * np.sin(phase) + 0.07 * np.cos(phase)
    return views * contrast**2 / (contrast**2 + 0.005) * np.exp(-2 * np.pi**2 * BLUR**2 * squared)


def noise_spectrum(parameters):
    """Power of the background: white plus a Lorentzian, per cell frequency."""
    kz, ky, kx = frequencies()
    k2 = kz**2 + ky**2 + kx**2
    return parameters['white'] + parameters['low'] / (1 + k2 / parameters['corner'] ** 2)


def centred(field):
    return np.real(np.fft.fftshift(np.fft.ifftn(field)))


def matched_filter(density, noise):
    """Kernel [SIDE]^3 of one species: zero-mean, unit Euclidean norm, negative where protein is."""
    spectrum = np.fft.fftn(np.fft.ifftshift(density)) * imaging() / noise
    lo = GRID // 2 - SIDE // 2
    kernel = centred(spectrum)[lo : lo + SIDE, lo : lo + SIDE, lo : lo + SIDE]
    window = np.ones(SIDE)
    window[[0, -1]] = 0.5
    taper = window[:, None, None] * window[None, :, None] * window[None, None, :]
    kernel = kernel * taper
    kernel = kernel - taper * (kernel.sum() / taper.sum())
    return -kernel / np.sqrt(np.sum(kernel**2))


def kernels(bands):
    """Float32 kernels [species x bands, SIDE, SIDE, SIDE]; one band per noise model."""
    table = load_profiles()
    out = []
    for noise in bands:
        for name in table['profiles']:
            density = average_density(table['profiles'][name], table['step'])
            out.append(matched_filter(density, noise_spectrum(noise)))
    return np.round(np.stack(out), 6).astype(np.float32)


def separated(filters, rank):
    """Weights of three convolutions, along x, then z, then y, that together give what `filters` [channel, z, y, x] give.

    The first split is exact: mirror symmetry leaves at most 8 independent profiles along x. The second keeps `rank` of the
    products of profiles along x and z. Rounded, so that another build of the linear algebra gives the same numbers.

    Returns arrays [along x, x], [product, along x, z] and [channel, product, y].
    """
    side = filters.shape[-1]
    profiles = side // 2 + 1
    across = filters.astype(np.float64).transpose(3, 1, 0, 2).reshape(side, -1)
    left, scale, right = np.linalg.svd(across, full_matrices=False)
    first = left[:, :profiles]
    rest = (scale[:profiles, None] * right[:profiles]).reshape(profiles * side, -1)
    left, scale, right = np.linalg.svd(rest, full_matrices=False)
    shared = np.sqrt(scale[:rank])
    second = (left[:, :rank] * shared).reshape(profiles, side, rank)
    third = (shared[:, None] * right[:rank]).reshape(rank, len(filters), side)
    # A product of profiles and its weights may both change sign: the first weight that is not small is made positive.
    first_sign, second_sign = leading_sign(first.T), leading_sign(third.reshape(rank, -1))
    first = first.T * first_sign[:, None]
    second = (second * first_sign[:, None, None] * second_sign).transpose(2, 0, 1)
    third = (third * second_sign[:, None, None]).transpose(1, 0, 2)
    return tuple(np.round(weights, 8).astype(np.float32) for weights in (first, second, third))


def leading_sign(rows):
    """Of each row, the sign of the first number of at least half the greatest magnitude."""
    large = np.abs(rows) >= 0.5 * np.abs(rows).max(axis=1, keepdims=True)
    return np.sign(rows[np.arange(len(rows)), large.argmax(axis=1)])
