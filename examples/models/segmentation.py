"""A segmentation U-Net: python segmentation.py DATA writes segmentation.onnx and segmentation.json beside itself.

Each voxel belongs to a class or to the background. A ball of half the particle's radius is marked around each centre: a hit of the
competition's metric is at most half a radius off, and balls that small never touch.
"""

import numpy as np
from torch.nn import functional

import network
from tomograms import CLASSES, RADIUS, VOXEL_SIZE, near

STRIDE = 1
BACKGROUND = len(CLASSES)


def target_of(cells, centres):
    """One channel: the class of each voxel."""
    labels = np.full((1, *cells), BACKGROUND, np.float32)
    for index, name in enumerate(CLASSES):
        reach = 0.5 * RADIUS[name] / VOXEL_SIZE
        for centre in centres[name]:
            box, offsets = near(centre, reach, cells, STRIDE)
            labels[0][box][np.square(offsets).sum(0) < reach**2] = index
    return labels


def loss_of(logits, labels):
    # Particles are rare: a voxel of theirs counts as much as ten of the background.
    weights = logits.new_tensor([10.0] * len(CLASSES) + [1.0])
    return functional.cross_entropy(logits, labels[:, 0].long(), weight=weights)


if __name__ == '__main__':
    options = network.options(__file__, steps=250)
    unet = network.UNet(len(CLASSES) + 1, STRIDE)
    network.train(unet, target_of, loss_of, options)
    network.export(
        unet,
        options.out,
        classes=[*CLASSES, None],
        activation='softmax',
        thresholds={name: 0.9 for name in CLASSES},
    )
