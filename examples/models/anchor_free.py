"""An anchor-free network: python anchor_free.py DATA writes anchor-free.onnx and anchor-free.json beside itself.

Each cell near a particle's centre says of which class it is, and in three more channels how far the centre lies from its own, along z,
y and x, in voxels. A peak may then be anywhere near the centre: the offset of its cell moves it there.
"""

import numpy as np
from torch.nn import functional

import network
from tomograms import CLASSES, RADIUS, VOXEL_SIZE, near

STRIDE = 2


def target_of(cells, centres):
    """A channel per class that is 1 near its particles, then the offsets along z, y, x, which are 0 far from any."""
    target = np.zeros((len(CLASSES) + 3, *cells), np.float32)
    for index, name in enumerate(CLASSES):
        reach = 0.4 * RADIUS[name] / VOXEL_SIZE
        for centre in centres[name]:
            box, offsets = near(centre, reach, cells, STRIDE)
            inside = np.square(offsets).sum(0) < reach**2
            target[index][box][inside] = 1
            for axis in range(3):
                target[len(CLASSES) + axis][box][inside] = offsets[axis][inside]
    return target


def loss_of(output, target):
    logits, offsets = output.split([len(CLASSES), 3], dim=1)
    near_class, true_offsets = target.split([len(CLASSES), 3], dim=1)
    is_near = near_class.amax(1, keepdim=True)
    score_loss = functional.binary_cross_entropy_with_logits(logits, near_class, weight=1 + 9 * near_class)
    # Offsets are asked for only where there is a particle to point at.
    off = functional.smooth_l1_loss(offsets, true_offsets, reduction='none') * is_near
    return score_loss + 0.2 * off.sum() / (3 * is_near.sum()).clamp(min=1)


if __name__ == '__main__':
    options = network.options(__file__, steps=600)
    unet = network.UNet(len(CLASSES) + 3, STRIDE)
    network.train(unet, target_of, loss_of, options, has_offsets=True)
    network.export(
        unet,
        options.out,
        classes=[*CLASSES, None, None, None],
        offsets=[len(CLASSES) + axis for axis in range(3)],
        activation='sigmoid',
        thresholds={'ribosome': 0.8, 'virus-like-particle': 0.6},
    )
