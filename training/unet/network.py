"""The network: a U-Net that never works at full resolution, of operators that every back-end of onnxruntime has.

    python network.py    # parameters, multiplications per voxel

Ungrouped Conv, MaxPool, Unsqueeze, Concat, Reshape, Add and Relu are all that is left after export: batch normalisation is folded
into the convolutions. Batch, not instance, normalisation, so that a score does not depend on the tile it was computed in.
"""

import subprocess
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

# As in models/default.json; the last channel is background.
CLASSES = ('apo-ferritin', 'beta-amylase', 'beta-galactosidase', 'ribosome', 'thyroglobulin', 'virus-like-particle')
OUTPUT_STRIDE = 2
# Edges of a tile are multiples of this: the coarsest level has one cell per 8 voxels.
MULTIPLE = 8
WIDTHS = (16, 48, 80)


class Layer(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs, outputs, kernel=3, stride=1, padding=1):
        super().__init__(
            nn.Conv3d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False),
            nn.BatchNorm3d(outputs),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """A layer whose input is added to what it gives."""

    def __init__(self, channels):
        super().__init__()
        self.layer = Layer(channels, channels)

    def forward(self, cells):
        return cells + self.layer(cells)


def nearest(cells):
    """Each cell repeated twice along z, y and x."""
    return functional.interpolate(cells, scale_factor=2.0, mode='nearest')


class RowCopies(torch.autograd.Function):
    """`nearest`, exported as three Concats: onnxruntime copies whole rows, where its Resize takes a sixth of the network's time."""

    @staticmethod
    def forward(_, cells):
        return nearest(cells)

    @staticmethod
    def symbolic(graph, cells):
        def constant(*numbers):
            return graph.op('Constant', value_t=torch.tensor(numbers))

        twice = graph.op('Unsqueeze', cells, constant(5))
        for axis in (5, 4, 3):
            twice = graph.op('Concat', twice, twice, axis_i=axis)
        # [n, c, z, 2y, 2x, 2]: 0 keeps an edge, and -1 is what remains, 2z.
        return graph.op('Reshape', twice, constant(0, 0, -1, 0, 0))


class Rise(nn.Module):
    """Brings coarse cells to twice the resolution and joins them with the finer ones."""

    def __init__(self, coarse, fine):
        super().__init__()
        # Fewer channels before, not after, there are eight times as many cells.
        self.narrow = Layer(coarse, fine, kernel=1, padding=0)
        self.join = Layer(2 * fine, fine)

    def forward(self, coarse, fine):
        raised = RowCopies.apply if torch.onnx.is_in_onnx_export() else nearest
        return self.join(torch.cat([raised(self.narrow(coarse)), fine], dim=1))


class UNet(nn.Module):
    """float32 [n, 1, z, y, x], edges multiples of 8, to logits [n, 7, z/2, y/2, x/2]."""

    def __init__(self, widths=WIDTHS, classes=len(CLASSES) + 1):
        super().__init__()
        fine, middle, coarse = widths
        # The same as gathering 2x2x2 voxels as eight channels and convolving them with 3x3x3.
        self.stem = Layer(1, fine, kernel=6, stride=2, padding=2)
        self.fine = Residual(fine)
        self.middle = nn.Sequential(Layer(fine, middle), Residual(middle))
        self.coarse = nn.Sequential(Layer(middle, coarse), Residual(coarse), Residual(coarse))
        self.rise_middle = Rise(coarse, middle)
        self.rise_fine = Rise(middle, fine)
        self.last = Residual(fine)
        self.head = nn.Conv3d(fine, classes, 1)
        self.pool = nn.MaxPool3d(2)

    def forward(self, voxels):
        return self.head(self.features(voxels))

    def features(self, voxels):
        """float32 [n, 16, z/2, y/2, x/2], in which the logits are linear; other particles can be taught with them."""
        fine = self.fine(self.stem(voxels))
        middle = self.middle(self.pool(fine))
        coarse = self.coarse(self.pool(middle))
        middle = self.rise_middle(coarse, middle)
        return self.last(self.rise_fine(middle, fine))


def folded(network):
    """A copy in evaluation mode whose batch normalisations are part of the convolutions before them."""
    copy = UNet(widths=widths_of(network), classes=network.head.out_channels)
    copy.load_state_dict(network.state_dict())
    copy.eval()
    for module in copy.modules():
        if isinstance(module, Layer):
            module[0] = fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()
    return copy


def widths_of(network):
    return network.head.in_channels, network.middle[0][0].out_channels, network.coarse[0][0].out_channels


def parameter_count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def multiplications_per_voxel(network, edge=32):
    """Counted by running every convolution once."""
    total = 0

    def count(convolution, _, output):
        nonlocal total
        total += convolution.weight[0].numel() * output.numel()

    hooks = [module.register_forward_hook(count) for module in network.modules() if isinstance(module, nn.Conv3d)]
    with torch.no_grad():
        network(torch.zeros(1, 1, edge, edge, edge))
    for hook in hooks:
        hook.remove()
    return total / edge**3


def commit():
    """Of this repository, with a plus where files differ from it; None outside of one."""
    described = ['git', 'describe', '--always', '--abbrev=40', '--match=', '--dirty=+']
    result = subprocess.run(described, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return result.stdout.strip() or None


if __name__ == '__main__':
    network = folded(UNet())
    parameters = parameter_count(network)
    print(f'{parameters} parameters ({parameters * 4 / 1e6:.2f} MB), {multiplications_per_voxel(network):.0f} multiplications per voxel')
