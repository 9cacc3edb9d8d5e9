"""What zarr-python and copick find in images on disk; called by zarr-python-3.test.ts.

    python read_images.py read FOLDER      every level of every image in FOLDER, by zarr-python
    python read_images.py copick CONFIG    every tomogram, feature map and segmentation, by copick

Both print one JSON object; voxels are in it as little-endian bytes in base64.
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np
import zarr


def found(array):
    data = np.asarray(array)
    data = data.astype(data.dtype.newbyteorder('<'))
    return {'shape': list(data.shape), 'dtype': data.dtype.name, 'bytes': base64.b64encode(data.tobytes()).decode()}


def read(folder):
    images = {}
    for image in sorted(Path(folder).iterdir()):
        group = zarr.open_group(str(image), mode='r')
        attributes = dict(group.attrs)
        (multiscale,) = attributes.get('ome', attributes)['multiscales']
        images[image.name] = [found(group[dataset['path']][...]) for dataset in multiscale['datasets']]
    return {'zarr': zarr.__version__, 'images': images}


def copick_project(config):
    import copick

    run = copick.from_file(config).get_run('TS_1')
    (spacing,) = run.voxel_spacings
    images = {}
    for tomogram in spacing.tomograms:
        for level in range(3):
            images[f'{tomogram.tomo_type} {level}'] = found(tomogram.numpy(str(level)))
        for features in tomogram.features:
            images[f'{tomogram.tomo_type} {features.feature_type}'] = found(features.numpy())
    for segmentation in run.get_segmentations(is_instance=None, is_panoptic=None):
        kind = getattr(segmentation, 'segmentation_type')
        images[f'{segmentation.name} {kind}'] = found(segmentation.numpy())
        if kind == 'panoptic':
            images[f'{segmentation.name} instance'] = found(segmentation.numpy(channel='instance'))
    return {'copick': copick.__version__, 'spacing': spacing.voxel_size, 'images': images}


print(json.dumps({'read': read, 'copick': copick_project}[sys.argv[1]](sys.argv[2])))
