"""Rotations spread evenly over SO(3), and the part of them that a symmetric particle needs. Axes are z, y, x throughout."""

import numpy as np
from scipy.spatial.transform import Rotation


def symmetry_group(name, frame=(0, 0, 0, 1)):
    """The rotations of a point group (C1, C2, D2, O ...), turned by `frame` (a quaternion) into the axes of a map."""
    turn = Rotation.from_quat(frame)
    return turn * Rotation.create_group(name) * turn.inv()


def even_rotations(count):
    """Super-Fibonacci spirals (M. Alexa, CVPR 2022): `count` rotations, about as far from each other as so many can be."""
    s = np.arange(count) + 0.5
    t = s / count
    # The step of the second spiral is the positive root of psi^4 = psi + 4.
    alpha, beta = 2 * np.pi * s / np.sqrt(2), 2 * np.pi * s / 1.533751168755204288118041
    r, rest = np.sqrt(t), np.sqrt(1 - t)
    return Rotation.from_quat(np.stack([r * np.sin(alpha), r * np.cos(alpha), rest * np.sin(beta), rest * np.cos(beta)], 1))


def needed_rotations(count, group):
    """Of `count` even rotations, one of all that look alike on a particle of this symmetry: the one nearest to none."""
    rotations = even_rotations(count)
    angles = np.stack([(rotations * g).magnitude() for g in group])
    return rotations[rotations.magnitude() <= angles.min(axis=0) + 1e-9]


def distances(a, b, group):
    """Angles (degrees) [len(a), len(b)] between rotations of a particle of this symmetry."""
    from_b = b.as_quat().T
    cosine = np.max([np.abs((a * g).as_quat() @ from_b) for g in group], axis=0)
    return np.degrees(2 * np.arccos(np.clip(cosine, 0, 1)))


def coverage(rotations, group, probes=3000, seed=1):
    """Angles (degrees) from random rotations to the nearest of these: greatest and mean."""
    nearest = distances(rotations, Rotation.random(probes, random_state=seed), group).min(axis=0)
    return nearest.max(), nearest.mean()
