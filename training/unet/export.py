"""Exports the average of a checkpoint as ONNX beside its card: python export.py --out DIR [--checkpoint DIR/best.pt] [--name default].

Writes DIR/NAME.onnx and DIR/NAME.json and compares PyTorch with onnxruntime, at several sizes. The card's thresholds are all 0.3
until evaluate.ts has chosen them.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from network import CLASSES, MULTIPLE, OUTPUT_STRIDE, UNet, folded, parameter_count
from scoring import metric

TOLERANCE = 1e-4
SHAPES = ((1, 1, 32, 48, 40), (2, 1, 64, 32, 96))
# Operators that CPU, WebAssembly and WebGPU all run.
PORTABLE = {'Conv', 'MaxPool', 'Unsqueeze', 'Concat', 'Reshape', 'Add', 'Relu', 'Constant'}
OPSET = 17
LIMITS = [
    'Trained on simulation alone; real data will give less. Single ribosomes in plain back-projections are not found.',
    'For voxels of 9.5 to 10.5 A, protein dark; scores were measured on denoised tomograms alone.',
    'Of its beta-galactosidase picks about half are false with balanced thresholds, and five in six with those of the competition.',
    'Round particles that it was not taught are taken for apo-ferritin, large ones for virus-like particles.',
    'Beta-amylase, which the competition does not score, is hardly found: one in three picks is right at best.',
    'Positions are good to 10 to 15 A, orientations are not estimated.',
]


def load(path):
    saved = torch.load(path, map_location='cpu', weights_only=True)
    network = UNet()
    network.load_state_dict(saved.pop('average'))
    return folded(network), {name: value for name, value in saved.items() if isinstance(value, (int, float, str, dict))}


class WithFeatures(nn.Module):
    """Logits first, then the features that they are linear in, of which the file holds no copy."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, voxels):
        features = self.network.features(voxels)
        return self.network.head(features), features


def export(network, path):
    axes = {2: 'z', 3: 'y', 4: 'x'}
    cells = {0: 'n', **{axis: f'{name}/{OUTPUT_STRIDE}' for axis, name in axes.items()}}
    torch.onnx.export(
        WithFeatures(network),
        (torch.zeros(SHAPES[0]),),
        path,
        dynamo=False,
        opset_version=OPSET,
        input_names=['voxels'],
        output_names=['logits', 'features'],
        dynamic_axes={'voxels': {0: 'n', **axes}, 'logits': cells, 'features': cells},
    )


def check(network, path):
    """Greatest difference between PyTorch and onnxruntime. Refuses operators that are not portable."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    strange = {node.op_type for node in model.graph.node} - PORTABLE
    if strange:
        raise SystemExit(f'operators that not every back-end runs: {sorted(strange)}')
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    random = np.random.default_rng(0)
    difference = 0.0
    for shape in SHAPES:
        voxels = random.standard_normal(shape, dtype=np.float32)
        found = session.run(['logits', 'features'], {'voxels': voxels})
        with torch.no_grad():
            expected = WithFeatures(network)(torch.from_numpy(voxels))
        difference = max(difference, *(float(np.abs(a - b.numpy()).max()) for a, b in zip(found, expected)))
    if not difference <= TOLERANCE:
        raise SystemExit(f'PyTorch and onnxruntime differ by {difference}')
    return difference


def card(name, trained):
    return {
        'name': name,
        'tile': [184, 160, 160],
        'tileMultiple': MULTIPLE,
        # With 8 shared voxels the score is lower, with more than 16 it is no higher (docs/design/tiling.md).
        'overlap': [16, 16, 16],
        # Of onnxruntime-node on two cores: 65 to 68 with tiles of 184x160x160 to 184x320x320.
        'bytesPerVoxel': 70,
        'outputStride': OUTPUT_STRIDE,
        'voxelSize': 10.012,
        'classes': [*CLASSES, None],
        'activation': 'softmax',
        'normalization': 'z-score',
        'contrast': 'dark',
        'thresholds': {name: 0.3 for name in CLASSES},
        'minDistances': {name: metric.SEPARATION * metric.RADIUS[name] for name in CLASSES},
        'provenance': {
            'made': 'training/unet: a U-Net of output stride 2, trained on simulated tomograms.',
            'data': 'training/unet/make-data.ts; seeds in training/unet/splits.ts',
            'limits': LIMITS,
            'training': trained,
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=Path, required=True, help='folder of the training')
    parser.add_argument('--checkpoint', type=Path, help='another than its best')
    parser.add_argument('--name', default='default')
    options = parser.parse_args()
    network, trained = load(options.checkpoint or options.out / 'best.pt')
    path = options.out / f'{options.name}.onnx'
    export(network, path)
    difference = check(network, path)
    path.with_suffix('.json').write_text(json.dumps(card(options.name, trained), indent=2) + '\n')
    megabytes = path.stat().st_size / 1e6
    print(f'{path}: {parameter_count(network)} parameters, {megabytes:.2f} MB, differs from PyTorch by {difference:.1e}')


if __name__ == '__main__':
    main()
