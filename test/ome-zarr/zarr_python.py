"""The other side of zarr-python.test.ts: reads and writes Zarr stores with the zarr-python at hand (2 or 3).

    python zarr_python.py read STORE     prints, for each level, what zarr-python finds, as JSON
    python zarr_python.py write FOLDER   writes one store per layout; prints their names

Voxel (z, y, x) of a written store is 100 z + 10 y + x, wrapped to the type.
"""

import json
import sys

import numcodecs
import numpy as np
import zarr

IS_V3 = int(zarr.__version__.split('.')[0]) >= 3
SHAPE = (5, 6, 7)


def voxels(dtype):
    z, y, x = np.indices(SHAPE)
    return (100 * z + 10 * y + x).astype(dtype)


def read(store):
    group = zarr.open_group(store, mode='r')
    levels = []
    for dataset in dict(group.attrs)['multiscales'][0]['datasets']:
        array = group[dataset['path']]
        data = np.asarray(array[...])
        levels.append({
            'shape': list(array.shape),
            'dtype': str(array.dtype),
            'values': [float(v) for v in data.reshape(-1)],
            'transforms': dataset['coordinateTransformations'],
        })
    print(json.dumps({'zarr': zarr.__version__, 'levels': levels}))


def write(folder):
    names = []
    v2 = {'zarr_format': 2} if IS_V3 else {}
    for name, dtype, options in [
        ('v2-blosc-lz4', '<f4', {'compressor': numcodecs.Blosc('lz4', 5, 1)}),
        ('v2-blosc-bits', '<i2', {'compressor': numcodecs.Blosc('zstd', 5, 2)}),
        ('v2-blosc-blosclz', '<f8', {'compressor': numcodecs.Blosc('blosclz', 9, 1)}),
        ('v2-zstd-fortran', '>f4', {'compressor': numcodecs.Zstd(3), 'order': 'F'}),
        ('v2-lz4', '<u2', {'compressor': numcodecs.LZ4()}),
        ('v2-gzip', '|u1', {'compressor': numcodecs.GZip(5)}),
        ('v2-zlib-delta', '<i4', {'compressor': numcodecs.Zlib(1), 'filters': [numcodecs.Delta('<i4')]}),
        ('v2-half', '<f2', {'compressor': None}),
        ('v2-bool', '|b1', {'compressor': numcodecs.Blosc('lz4', 5, 1)}),
        ('v2-int64', '<i8', {'compressor': numcodecs.Blosc('lz4', 5, 1)}),
    ]:
        array = zarr.create(shape=SHAPE, chunks=(2, 4, 3), dtype=dtype, store=f'{folder}/{name}', fill_value=0, **options, **v2)
        array[...] = voxels(dtype)
        names.append(name)
    if IS_V3:
        from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec, ZstdCodec
        from zarr.codecs.numcodecs import Shuffle

        inner = [BytesCodec(), Shuffle(elementsize=4), ZstdCodec(level=3)]
        for name, shards, codecs in [
            ('v3-sharded-shuffle-zstd', (6, 8, 9), [ShardingCodec(chunk_shape=(2, 4, 3), codecs=inner)]),
            ('v3-sharded-start', (6, 8, 9), [ShardingCodec(chunk_shape=(2, 4, 3), codecs=inner, index_location='start')]),
            ('v3-crc32c', (2, 4, 3), [BytesCodec(endian='big'), Crc32cCodec()]),
        ]:
            array = zarr.create(shape=SHAPE, chunks=shards, dtype='f4', store=f'{folder}/{name}', fill_value=0, codecs=codecs, zarr_format=3)
            array[...] = voxels('f4')
            names.append(name)
    print(json.dumps(names))


{'read': read, 'write': write}[sys.argv[1]](sys.argv[2])
