"""Builds radial.onnx and radial.json from profiles.json and head.json.

    python build.py            # writes both files and docs/images/radial-network.png
    python build.py --check    # exits 1 unless the committed model and card are what the tables give, byte for byte
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import kernels

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MODEL = HERE / 'radial.onnx'
CARD = HERE / 'radial.json'
FIGURE = ROOT / 'docs' / 'images' / 'radial-network.png'
POOLS = (3, 9)
# Products of profiles along x and z that the filters share: with as many the responses are right to 1e-5 of their size.
RANK = 32


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs, [output], name=output, **attributes)


def convolution(source, weights, output, kernel=(1, 1, 1), bias=True):
    inputs = [source, f'{weights}.weight'] + ([f'{weights}.bias'] if bias else [])
    pads = [side // 2 for side in kernel] * 2
    return node('Conv', inputs, output, kernel_shape=list(kernel), strides=[1] * 3, dilations=[1] * 3, pads=pads, group=1)


def matched_filters(head):
    """Nodes and tensors of the filters' responses, as three convolutions of one axis each: a fifth of the arithmetic.

    Outside the volume all three see zeros, as one convolution would.
    """
    x, z, y = kernels.separated(filters_of(head)[:, 0], RANK)
    weights = {'profiles': x[:, None, None, None, :], 'products': z[:, :, :, None, None], 'filters': y[:, :, None, :, None]}
    tensors = [numpy_helper.from_array(np.ascontiguousarray(values), f'{name}.weight') for name, values in weights.items()]
    nodes, source = [], 'cells'
    for name, values in weights.items():
        target = 'response' if name == 'filters' else name
        nodes.append(convolution(source, name, target, values.shape[2:], bias=False))
        source = target
    return nodes, tensors


def greatest(source, output, side):
    """Maximum over side^3 cells as three passes of one axis each."""
    nodes = []
    for axis in range(3):
        shape = [side if a == axis else 1 for a in range(3)]
        pads = [s // 2 for s in shape] * 2
        target = output if axis == 2 else f'{output}.{"zy"[axis]}'
        nodes.append(node('MaxPool', [source], target, kernel_shape=shape, strides=[1] * 3, dilations=[1] * 3, pads=pads))
        source = target
    return nodes


def filters_of(head):
    filters = kernels.kernels(head['bands'])[:, None] / np.array(head['deviation'], np.float32)[:, None, None, None, None]
    return filters.astype(np.float32)


def competition(head):
    """Nodes and tensors that turn features into one score per class: two layers, cell by cell."""
    nodes, tensors, source = [], [], 'features'
    for name, last in (('hidden', False), ('output', True)):
        weight = np.array(head[name]['weight'], np.float32)[:, :, None, None, None]
        tensors.append(numpy_helper.from_array(weight, f'{name}.weight'))
        tensors.append(numpy_helper.from_array(np.array(head[name]['bias'], np.float32), f'{name}.bias'))
        target = 'logits' if last else f'{name}.sum'
        nodes.append(convolution(source, name, target))
        if not last:
            nodes.append(node('Relu', [target], name))
        source = name
    return nodes, tensors


def graph(head, features_only=False):
    """The network: pool, matched filters, maxima of their responses over neighbourhoods, competition between the classes."""
    nodes = [node('AveragePool', ['voxels'], 'cells', kernel_shape=[2] * 3, strides=[2] * 3, pads=[0] * 6)]
    filters, tensors = matched_filters(head)
    nodes += filters
    for side in POOLS:
        nodes += greatest('response', f'greatest{side}', side)
    nodes.append(node('Concat', ['response'] + [f'greatest{side}' for side in POOLS], 'features', axis=1))
    output, channels = 'features', len(head['deviation']) * (1 + len(POOLS))
    if not features_only:
        layers = competition(head)
        nodes, tensors = nodes + layers[0], tensors + layers[1]
        output, channels = 'logits', len(head['output']['bias'])
    voxels = helper.make_tensor_value_info('voxels', TensorProto.FLOAT, ['n', 1, 'z', 'y', 'x'])
    scores = helper.make_tensor_value_info(output, TensorProto.FLOAT, ['n', channels, 'z/2', 'y/2', 'x/2'])
    return helper.make_graph(nodes, 'radial', [voxels], [scores], tensors)


def model_bytes(head, features_only=False):
    opsets = [helper.make_opsetid('', 17)]
    model = helper.make_model(graph(head, features_only), opset_imports=opsets, ir_version=8, producer_name='cryoet-picks')
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def card(head):
    return {
        'name': 'radial',
        'tile': [184, 90, 90],
        'tileMultiple': 2,
        'outputStride': 2,
        'voxelSize': 10.012,
        'classes': [*kernels.load_profiles()['profiles'], None],
        'activation': 'softmax',
        'normalization': 'z-score',
        'contrast': 'dark',
        'thresholds': head['thresholds'],
        'minDistances': head['minDistances'],
        'provenance': head['provenance'],
    }


def card_bytes(head):
    return kernels.compact(json.dumps(card(head), indent=2)).encode()


def draw(path):
    """Profiles above, central sections of the first band's filters below."""
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    table = kernels.load_profiles()
    filters = kernels.kernels(load_head()['bands'])
    names = list(table['profiles'])
    figure, axes = plt.subplots(3, len(names), figsize=(11, 5.2), height_ratios=[1, 1.15, 1.15], layout='constrained')
    extent = [kernels.SIDE * kernels.CELL / 2 * s for s in (-1, 1, -1, 1)]
    for i, name in enumerate(names):
        radius = np.arange(len(table['profiles'][name])) * table['step']
        axes[0, i].plot(radius, table['profiles'][name], color='#1f4e79')
        axes[0, i].set_title(name, fontsize=9)
        axes[0, i].set(xlim=(0, 180), ylim=(0, None), xlabel='radius (Å)')
        for row, section in ((1, filters[i][kernels.SIDE // 2]), (2, filters[i][:, kernels.SIDE // 2])):
            limit = np.abs(section).max()
            axes[row, i].imshow(section, cmap='RdBu_r', vmin=-limit, vmax=limit, extent=extent, origin='lower')
            axes[row, i].set(xticks=[-100, 0, 100], yticks=[-100, 0, 100])
        axes[1, i].tick_params(labelbottom=False)
    axes[0, 0].set_ylabel('density')
    axes[1, 0].set_ylabel('y (Å), seen along z')
    axes[2, 0].set_ylabel('z (Å), seen along y')
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90, metadata={'Software': None})


def load_head():
    return json.loads((HERE / 'head.json').read_text())


def main():
    head = load_head()
    made = {MODEL: model_bytes(head), CARD: card_bytes(head)}
    if '--check' in sys.argv:
        stale = [str(path.relative_to(ROOT)) for path, content in made.items() if path.read_bytes() != content]
        print(f'differs from the tables: {", ".join(stale)}' if stale else 'the model and its card are what the tables give')
        sys.exit(1 if stale else 0)
    for path, content in made.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    draw(FIGURE)


if __name__ == '__main__':
    main()
