"""A heat-map network: python heatmap.py DATA writes heatmap.onnx and heatmap.json beside itself.

Each class has a map of its own that is 1 at a particle's centre and falls off as a Gaussian; there is no background.
"""

import numpy as np
from torch.nn import functional

import network
from tomograms import CLASSES, RADIUS, VOXEL_SIZE, near

STRIDE = 2


def target_of(cells, centres):
    """A map per class: the greatest of its particles' Gaussians."""
    maps = np.zeros((len(CLASSES), *cells), np.float32)
    for index, name in enumerate(CLASSES):
        sigma = 0.25 * RADIUS[name] / VOXEL_SIZE
        for centre in centres[name]:
            box, offsets = near(centre, 4 * sigma, cells, STRIDE)
            gaussian = np.exp(-np.square(offsets).sum(0) / (2 * sigma**2))
            maps[index][box] = np.maximum(maps[index][box], gaussian)
    return maps


def loss_of(logits, maps):
    # The entropy of a soft target is least where the probability equals it, so peaks are as high as the maps'.
    return functional.binary_cross_entropy_with_logits(logits, maps, weight=1 + 20 * maps)


if __name__ == '__main__':
    options = network.options(__file__, steps=500)
    unet = network.UNet(len(CLASSES), STRIDE)
    network.train(unet, target_of, loss_of, options)
    network.export(
        unet,
        options.out,
        classes=[*CLASSES],
        activation='sigmoid',
        thresholds={'ribosome': 0.35, 'virus-like-particle': 0.4},
    )
