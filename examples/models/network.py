"""A small U-Net, its training and its export to ONNX: what the three scripts share."""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
from torch.nn import functional

from tomograms import VOXEL_SIZE, Crops

OPSET = 17
# Operators that the CPU, WebAssembly and WebGPU all run; Constant feeds Resize its scales.
PORTABLE = {'Conv', 'Relu', 'MaxPool', 'Resize', 'Concat', 'Constant'}
MIN_DISTANCE = {'ribosome': 120, 'virus-like-particle': 108}  # in A


def layer(inputs, outputs, kernel=3, stride=1, padding=1):
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, kernel, stride, padding, bias=False), nn.BatchNorm3d(outputs), nn.ReLU()
    )


class UNet(nn.Module):
    """float32 [n, 1, z, y, x], edges multiples of 4, to [n, outputs, z/s, y/s, x/s], s being 1 or 2."""

    def __init__(self, outputs, stride):
        super().__init__()
        self.stride = stride
        self.fine = nn.Sequential(layer(1, 8, kernel=4, stride=2), layer(8, 8))
        self.coarse = nn.Sequential(nn.MaxPool3d(2), layer(8, 12), layer(12, 12), layer(12, 12), layer(12, 4, 1, padding=0))
        self.join = layer(12, 8)
        self.head = nn.Conv3d(8, outputs, 1)

    def forward(self, voxels):
        fine = self.fine(voxels)
        cells = self.join(torch.cat([fine, twice(self.coarse(fine))], dim=1))
        # The last activation is left to the card: what leaves here are logits.
        return self.head(twice(cells) if self.stride == 1 else cells)


def twice(cells):
    # Not a transposed convolution, which WebGPU does not run.
    return functional.interpolate(cells, scale_factor=2.0, mode='nearest')


def train(network, target_of, loss_of, options, has_offsets=False):
    crops = Crops(options.data, target_of, network.stride, options.steps * options.batch, has_offsets)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.rate, total_steps=options.steps)
    started, losses = time.monotonic(), []
    for step, (voxels, target) in enumerate(torch.utils.data.DataLoader(crops, options.batch), 1):
        loss = loss_of(network(voxels), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 100 == 0 or step == options.steps:
            print(f'step {step}: loss {np.mean(losses[-100:]):.4f}, {time.monotonic() - started:.0f} s', flush=True)


def export(network, path, **card):
    """Writes path.onnx and path.json, the card, and compares PyTorch with onnxruntime at two sizes."""
    network.eval()
    file = path.with_suffix('.onnx')
    axes, stride = {2: 'z', 3: 'y', 4: 'x'}, network.stride
    torch.onnx.export(
        network,
        (torch.zeros(1, 1, 32, 32, 32),),
        file,
        dynamo=False,
        opset_version=OPSET,
        input_names=['voxels'],
        output_names=['scores'],
        dynamic_axes={
            'voxels': {0: 'n', **axes},
            'scores': {0: 'n', **{axis: f'{name}/{stride}' for axis, name in axes.items()}},
        },
    )
    strange = {node.op_type for node in onnx.load(file).graph.node} - PORTABLE
    if strange:
        raise SystemExit(f'operators that not every back-end runs: {sorted(strange)}')
    session = onnxruntime.InferenceSession(file, providers=['CPUExecutionProvider'])
    for shape in ((1, 1, 32, 48, 40), (2, 1, 16, 32, 64)):
        voxels = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        with torch.no_grad():
            expected = network(torch.from_numpy(voxels)).numpy()
        (found,) = session.run(None, {'voxels': voxels})
        np.testing.assert_allclose(found, expected, atol=1e-4)
    shared = {
        'name': path.name,
        'tile': [64, 96, 96],
        'outputStride': stride,
        'voxelSize': VOXEL_SIZE,
        'normalization': 'z-score',
        'contrast': 'dark',
        'minDistances': MIN_DISTANCE,
    }
    path.with_suffix('.json').write_text(json.dumps({**shared, **card}, indent=2) + '\n')
    print(f'{file.name}: {sum(p.numel() for p in network.parameters())} parameters, {file.stat().st_size} bytes')


def options(script, steps):
    """Of the command line: python SCRIPT DATA, DATA being the project of make-data.ts."""
    parser = argparse.ArgumentParser()
    parser.add_argument('data', type=Path)
    parser.add_argument('--out', type=Path, default=Path(script).parent / Path(script).stem.replace('_', '-'))
    parser.add_argument('--steps', type=int, default=steps)
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--rate', type=float, default=1e-2)
    torch.manual_seed(1)
    return parser.parse_args()
