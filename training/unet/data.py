"""Reads simulated copick projects through zarr, makes targets of their picks, and cuts random crops.

A project is read as anybody's: level 0 of each run's only tomogram, the voxel size of its metadata, the picks in its overlay.
"""

import json
from pathlib import Path

import numpy as np
import torch
import zarr
from scipy import fft

from network import CLASSES, OUTPUT_STRIDE

BACKGROUND = len(CLASSES)
# Of a particle's radius: the ball around its centre that the network is to mark. A hit is at most half a radius off.
BALL = 0.5
# Share of the crops with noise of another spectrum.
NOISY = 0.35
# What the network is to give: 'ball', the same score all over the ball; 'peak', within at most 40 A, a score that falls off as a
# Gaussian, so that the greatest one is at the centre.
TARGETS = {'ball': (np.inf, 0.0), 'peak': (40.0, 2.0)}


class Tomogram:
    """voxels: float16 [z, y, x], mean 0, deviation 1; labels: uint8 [z/2, y/2, x/2]; shares: the probability of that label that the
    network is to give, the rest being background's, uint8, 255 for 1; truth: positions (x, y, z), A, by object; negatives: cells
    (z, y, x) at which an earlier network saw what is not there."""

    def __init__(self, name, voxels, voxel_size, truth, radii, target):
        self.name, self.voxel_size, self.truth = name, voxel_size, truth
        self.voxels = z_scored(voxels).astype(np.float16)
        self.labels, self.shares, self.cells = balls(self.voxels.shape, voxel_size, truth, radii, target)
        self.negatives = np.zeros((0, 3), int)


def read_project(folder, limit=None, target='ball'):
    """The tomograms of a project, in order of their names."""
    folder = Path(folder)
    config = json.loads((folder / 'copick.json').read_text())
    radii = {item['name']: item['radius'] for item in config['pickable_objects']}
    runs = sorted((folder / config['static_root'] / 'ExperimentRuns').iterdir())
    picks = folder / config['overlay_root'] / 'ExperimentRuns'
    return [read_run(run, picks / run.name / 'Picks', radii, target) for run in runs[:limit]]


def read_run(run, picks, radii, target):
    (image,) = run.glob('VoxelSpacing*/*.zarr')
    group = zarr.open_group(image, mode='r')
    level = group.attrs['multiscales'][0]['datasets'][0]
    scale = next(step['scale'] for step in level['coordinateTransformations'] if step['type'] == 'scale')
    truth = {name: read_picks(picks / f'{name}.json') for name in CLASSES}
    return Tomogram(run.name, group[level['path']][:], np.array(scale), truth, radii, target)


def read_picks(path):
    points = json.loads(path.read_text())['points']
    return np.array([[point['location'][axis] for axis in 'xyz'] for point in points]).reshape(-1, 3)


def z_scored(voxels):
    """As the package normalises: statistics of the whole tomogram."""
    mean, deviation = voxels.mean(dtype=np.float64), voxels.std(dtype=np.float64)
    return ((voxels - mean) / deviation).astype(np.float32)


def reach_of(radius, target):
    """Radius of the ball around a centre, in A."""
    return min(BALL * radius, TARGETS[target][0])


def balls(shape, voxel_size, truth, radii, target):
    """Labels and shares of all cells, and the cells (class, z, y, x) that hold a particle's centre. Where balls meet, the deeper one wins."""
    cells = tuple(edge // OUTPUT_STRIDE for edge in shape)
    labels = np.full(cells, BACKGROUND, np.uint8)
    nearest = np.ones(cells, np.float32)
    centres = []
    for index, name in enumerate(CLASSES):
        reach = reach_of(radii[name], target) / (OUTPUT_STRIDE * voxel_size)
        for position in truth[name]:
            # Cell k holds voxels 2k and 2k + 1: its centre is voxel 2k + 0.5.
            centre = (position[::-1] / voxel_size - 0.5 * (OUTPUT_STRIDE - 1)) / OUTPUT_STRIDE
            low = np.clip(np.floor(centre - reach).astype(int), 0, cells)
            high = np.clip(np.ceil(centre + reach).astype(int) + 1, 0, cells)
            box = tuple(slice(a, b) for a, b in zip(low, high))
            axes = [(np.arange(a, b) - c) / r for a, b, c, r in zip(low, high, centre, reach)]
            distance = sum(part**2 for part in np.meshgrid(*axes, indexing='ij', sparse=True)).astype(np.float32)
            deeper = distance < nearest[box]
            labels[box][deeper] = index
            nearest[box][deeper] = distance[deeper]
            centres.append((index, *np.clip(np.round(centre).astype(int), 0, np.array(cells) - 1)))
    shares = np.where(labels < BACKGROUND, np.round(255 * np.exp(-TARGETS[target][1] * nearest)), 0).astype(np.uint8)
    return labels, shares, np.array(centres).reshape(-1, 4)


class Crops(torch.utils.data.Dataset):
    """Crop i of a seed, always the same: half of them around a particle, of any class alike; a quarter around negatives, if the
    tomogram has any; the others anywhere."""

    def __init__(self, tomograms, crop, length, seed, augment=True):
        self.tomograms, self.crop, self.length, self.seed, self.augment = tomograms, crop, length, seed, augment

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        random = np.random.default_rng([self.seed, index])
        tomogram = self.tomograms[random.integers(len(self.tomograms))]
        start = corner(tomogram, self.crop // OUTPUT_STRIDE, random)
        voxels, labels, shares = cut(tomogram, start, self.crop // OUTPUT_STRIDE)
        if self.augment:
            quarters = int(random.integers(4))
            voxels, labels, shares = turned([voxels, labels, shares], quarters, random)
            if random.random() < NOISY:
                voxels = noisy(voxels, quarters, random)
            voxels = jittered(voxels, random)
        voxels, labels, shares = (torch.from_numpy(np.ascontiguousarray(array)) for array in (voxels, labels, shares))
        return voxels[None], labels, shares


def corner(tomogram, edge, random):
    """First cell of a crop, which may reach beyond a tomogram that is smaller than it."""
    room = np.maximum(np.array(tomogram.labels.shape) - edge, 0)
    drawn = random.random()
    if drawn < 0.25 and len(tomogram.negatives):
        place = random.choice(tomogram.negatives)
    elif drawn < 0.5 or len(tomogram.cells) == 0:
        return random.integers(room + 1)
    else:
        present = np.unique(tomogram.cells[:, 0])
        place = random.choice(tomogram.cells[tomogram.cells[:, 0] == random.choice(present)])[1:]
    # Anywhere in the crop, so that a particle at its border is nothing unusual either.
    return np.clip(place - random.integers(edge, size=3), 0, room)


def cut(tomogram, start, edge):
    """float32 voxels, int64 labels and float32 shares from a cell on; what lies outside is 0, the mean, and background."""
    first = OUTPUT_STRIDE * start
    voxels = tomogram.voxels[tuple(slice(a, a + OUTPUT_STRIDE * edge) for a in first)].astype(np.float32)
    box = tuple(slice(a, a + edge) for a in start)
    labels, shares = tomogram.labels[box].astype(np.int64), tomogram.shares[box].astype(np.float32) / 255
    voxels = np.pad(voxels, [(0, OUTPUT_STRIDE * edge - side) for side in voxels.shape])
    pads = [(0, edge - side) for side in labels.shape]
    return voxels, np.pad(labels, pads, constant_values=BACKGROUND), np.pad(shares, pads)


def turned(arrays, quarters, random):
    """Mirrored along each axis, each as likely as not, and turned about z by quarters."""
    axes = [axis for axis in range(3) if random.random() < 0.5]
    return [np.rot90(np.flip(array, axes), quarters, axes=(1, 2)) for array in arrays]


def noisy(voxels, quarters, random):
    """With noise of another spectrum, from a third to 2.5 times what is there, and seen through another filter, as the back-projections of
    other microscopes and programs are. Noise has the missing wedge of the tilt axis, which a quarter turns from y to x. Deviation 1."""
    kz, ky, kx = np.meshgrid(
        fft.fftfreq(voxels.shape[0]), fft.fftfreq(voxels.shape[1]), fft.rfftfreq(voxels.shape[2]), indexing='ij', sparse=True
    )
    squares = (kz**2 + ky**2 + kx**2).astype(np.float32)
    across = np.abs(ky if quarters % 2 else kx)
    seen = np.abs(kz) <= across * np.tan(np.radians(random.uniform(40, 65)))
    noise = fft.rfftn(random.standard_normal(voxels.shape, dtype=np.float32)) * seen * slope(squares, random.uniform(-1, 0.5))
    noise *= np.float32(np.sqrt(voxels.size / 2) / np.linalg.norm(noise) * np.sqrt(voxels.size))
    share = np.exp(random.uniform(np.log(0.3), np.log(2.5)))
    spectrum = fft.rfftn(voxels.astype(np.float32)) + np.float32(share) * noise
    width = random.uniform(0, 1.6) if random.random() < 0.6 else 0
    spectrum *= slope(squares, random.uniform(-0.6, 0.3)) * np.exp(np.float32(-2 * (np.pi * width) ** 2) * squares)
    voxels = fft.irfftn(spectrum, voxels.shape)
    return (voxels - voxels.mean()) / voxels.std()


def slope(squares, exponent):
    """(k^2 + k0^2)^(exponent / 2) of squared frequencies, which is 1 at 0; k0 is one in twenty voxels."""
    return ((squares + 0.05**2) / 0.05**2) ** np.float32(exponent / 2)


def jittered(voxels, random):
    """Other contrast, brightness, grey-level curve, and sometimes more noise: a tomogram's own statistics are never quite right."""
    scale, shift = np.exp(random.uniform(-0.25, 0.25)), random.uniform(-0.2, 0.2)
    curve = np.exp(random.uniform(-0.2, 0.2))
    voxels = np.sign(voxels) * np.abs(voxels) ** np.float32(curve) * np.float32(scale) + np.float32(shift)
    if random.random() < 0.2:
        voxels = voxels + np.float32(random.uniform(0.1, 0.5)) * random.standard_normal(voxels.shape, dtype=np.float32)
    return voxels.astype(np.float32)
