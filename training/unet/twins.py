"""Writes smaller twins of an exported network beside it: python twins.py OUT/default.onnx --data DATA/validate.

NAME-float16.onnx keeps the weights of its convolutions in 16 bits, NAME-int8.onnx in 8 with a scale per output channel; both turn
them back into float32 in front of each convolution and compute as the network does, so they run wherever it runs and save the
download, not the time. Each has a card. On a tile of each of a project's first tomograms the sizes, seconds and differences are
printed; what a twin loses in score, `npm run evaluate` tells.
"""

import argparse
import json
from pathlib import Path
from time import perf_counter

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from data import read_project
from network import MULTIPLE

GREATEST_FLOAT16 = float(np.finfo(np.float16).max)


def as_float16(name, weights):
    """float16 weights under a name, and what turns them into float32 under the name of the old ones."""
    if np.abs(weights).max() > GREATEST_FLOAT16:
        raise SystemExit(f'{name}: a weight of {np.abs(weights).max():.3g} has no place in float16')
    stored = numpy_helper.from_array(weights.astype(np.float16), f'{name}.float16')
    return [stored], helper.make_node('Cast', [stored.name], [name], to=TensorProto.FLOAT)


def as_int8(name, weights):
    """As as_float16, in int8: the greatest weight of each output channel (the first axis) is 127 or -127."""
    greatest = np.abs(weights).reshape(len(weights), -1).max(axis=1)
    scale = np.where(greatest > 0, greatest / 127, 1).astype(np.float32)
    rounded = np.round(weights / scale.reshape(-1, *[1] * (weights.ndim - 1))).astype(np.int8)
    arrays = {'int8': rounded, 'scale': scale, 'zero': np.zeros(len(weights), np.int8)}
    stored = [numpy_helper.from_array(array, f'{name}.{part}') for part, array in arrays.items()]
    return stored, helper.make_node('DequantizeLinear', [part.name for part in stored], [name], axis=0)


STORED = {'float16': as_float16, 'int8': as_int8}


def twin(model, store):
    """A copy of a network in which the weights of the convolutions, not their biases, are stored another way."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    weights = {node.input[1] for node in model.graph.node if node.op_type == 'Conv'}
    kept, nodes = [], []
    for tensor in model.graph.initializer:
        if tensor.name in weights:
            stored, node = store(tensor.name, numpy_helper.to_array(tensor))
            kept += stored
            nodes.append(node)
        else:
            kept.append(tensor)
    if len(nodes) != len(weights):
        raise SystemExit('a convolution whose weights are not stored in the file; expected one that export.py wrote')
    del copy.graph.initializer[:], copy.graph.node[:]
    copy.graph.initializer.extend(kept)
    copy.graph.node.extend([*nodes, *model.graph.node])
    onnx.checker.check_model(copy, full_check=True)
    return copy


def write_twins(path):
    """Writes all twins of a network and their cards; their paths by the way their weights are stored."""
    model, card = onnx.load(path), json.loads(path.with_suffix('.json').read_text('utf-8'))
    # Measured on the network itself, and not on its twins.
    measured = {'calibration', 'scores'}
    card = {key: value for key, value in card.items() if key not in measured}
    paths = {}
    for kind, store in STORED.items():
        paths[kind] = path.with_name(f'{path.stem}-{kind}.onnx')
        onnx.save(twin(model, store), paths[kind])
        made = {key: value for key, value in card.get('provenance', {}).items() if key not in measured}
        provenance = {**made, 'weights': f'those of {path.name}, stored as {kind}'}
        named = {**card, 'name': f'{card["name"]}-{kind}', 'provenance': provenance}
        text = json.dumps(named, indent=2, ensure_ascii=False)
        paths[kind].with_suffix('.json').write_text(f'{text}\n', 'utf-8')
    return paths


def middle(voxels, tile):
    """The tile in the middle of a tomogram, float32 [1, 1, z, y, x], cut to what the network takes."""
    edges = [min(a, b) // MULTIPLE * MULTIPLE for a, b in zip(voxels.shape, tile)]
    box = tuple(slice((a - b) // 2, (a - b) // 2 + b) for a, b in zip(voxels.shape, edges))
    return voxels[box].astype(np.float32)[None, None]


def run(path, tiles, threads):
    """Logits of all tiles, and the seconds of the fastest after a run to warm up."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    port = session.get_inputs()[0].name
    session.run(None, {port: tiles[0]})
    logits, seconds = [], []
    for tile in tiles:
        started = perf_counter()
        logits += session.run(None, {port: tile})
        seconds.append(perf_counter() - started)
    return logits, min(seconds)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def difference(expected, found):
    """Greatest and mean absolute difference over all tiles."""
    apart = np.concatenate([np.abs(a - b).ravel() for a, b in zip(expected, found)])
    return f'{apart.max():.1e} / {apart.mean():.1e}'


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('network', type=Path, help='what export.py wrote, its card beside it')
    parser.add_argument('--data', type=Path, required=True, help='a simulated project')
    parser.add_argument('--tomograms', type=int, default=2)
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()
    paths = {'float32': options.network, **write_twins(options.network)}
    tile = json.loads(options.network.with_suffix('.json').read_text())['tile']
    tiles = [middle(tomogram.voxels, tile) for tomogram in read_project(options.data, options.tomograms)]
    shape = '×'.join(map(str, tiles[0].shape[2:]))
    print(f'{len(tiles)} tiles of {shape}, {options.threads} threads; differences from float32: greatest / mean\n')
    print(f'| weights | bytes | s per tile | logits | probabilities |\n| {" | ".join(["---"] * 5)} |')
    expected = None
    for kind, path in paths.items():
        logits, seconds = run(path, tiles, options.threads)
        expected = expected or logits
        apart = [difference(expected, logits), difference(map(softmax, expected), map(softmax, logits))]
        print(f'| {kind} | {path.stat().st_size:,} | {seconds:.2f} | {" | ".join(apart)} |')


if __name__ == '__main__':
    main()
