"""Makes the files that both sides of the benchmarks read, seeded, into bench/data: 1.6 GB.

    bench/peers/.venv/bin/python bench/make_data.py
"""

import json
import shutil
from pathlib import Path

import numpy as np
import zarr
from numcodecs import Blosc
from scipy import ndimage

SHAPE = (184, 630, 630)
DATA = Path(__file__).parent / "data"
FRACTIONS = {"0.1": 0.001, "1": 0.01, "10": 0.1}


def tomogram(random):
    """Noise with the smoothness of a denoised tomogram, rounded to three digits so that it compresses as they do."""
    volume = ndimage.gaussian_filter(random.normal(0, 1, SHAPE).astype(np.float32), 1.0)
    return np.round(volume / volume.std(), 3).astype(np.float32)


def stores(volume):
    # They link to chunks that are replaced now.
    for linked in DATA.glob("lz4-128-times-*"):
        shutil.rmtree(linked)
    for chunk in (64, 128, 256):
        store = zarr.open_group(DATA / f"lz4-{chunk}.zarr", mode="w", zarr_format=2)
        shape = tuple(min(chunk, n) for n in SHAPE)
        compressor = Blosc(cname="lz4", clevel=5, shuffle=1)
        array = store.create_array("0", shape=SHAPE, chunks=shape, dtype="<f4", compressors=compressor, chunk_key_encoding={"name": "v2", "separator": "/"}, fill_value=0)
        array[:] = volume
        store.attrs["multiscales"] = multiscales("0.4")
    store = zarr.open_group(DATA / "sharded.zarr", mode="w", zarr_format=3)
    compressor = zarr.codecs.ZstdCodec(level=3)
    array = store.create_array("0", shape=SHAPE, shards=(256, 640, 640), chunks=(128, 128, 128), dtype="float32", compressors=compressor, fill_value=0)
    array[:] = volume
    store.attrs["ome"] = {"version": "0.5", "multiscales": multiscales(None)}


def multiscales(version):
    axes = [{"name": name, "type": "space", "unit": "angstrom"} for name in "zyx"]
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [10.0, 10.0, 10.0]}]}]
    return [{"axes": axes, "datasets": datasets} | ({"version": version} if version else {})]


def scores(random):
    """A smooth score map, and the thresholds that leave a part of its voxels."""
    smooth = ndimage.gaussian_filter(random.normal(0, 1, SHAPE).astype(np.float32), 2.0)
    smooth /= smooth.std()
    smooth.tofile(DATA / "scores.f32")
    thresholds = {name: float(np.quantile(smooth[::4, ::4, ::4], 1 - part)) for name, part in FRACTIONS.items()}
    (DATA / "thresholds.json").write_text(json.dumps(thresholds))


def tables(random):
    """Truth and submission of 50 tomograms: 200 particles of each type, and 2,000 candidates, a tenth of them near one."""
    names = ["apo-ferritin", "beta-amylase", "beta-galactosidase", "ribosome", "thyroglobulin", "virus-like-particle"]
    rows = {"truth": [], "submission": []}
    for run in range(50):
        for name in names:
            truth = random.uniform(0, 6300, (200, 3)).round(3)
            near = truth + random.normal(0, 15, truth.shape)
            candidates = np.concatenate([near, random.uniform(0, 6300, (1800, 3))]).round(3)
            for table, places in (("truth", truth), ("submission", candidates)):
                rows[table] += [(f"run_{run:03}", name, *place) for place in places.tolist()]
    for table, listed in rows.items():
        lines = (f"{i},{run},{name},{x},{y},{z}" for i, (run, name, x, y, z) in enumerate(listed))
        (DATA / f"{table}.csv").write_text("\n".join(["id,experiment,particle_type,x,y,z", *lines]) + "\n")


def main():
    DATA.mkdir(exist_ok=True)
    random = np.random.default_rng(20241123)
    volume = tomogram(random)
    volume.tofile(DATA / "tomogram.f32")
    stores(volume)
    scores(random)
    points = random.uniform(0, 6300, (1_000_000, 3))
    np.concatenate([points, random.random((1_000_000, 1))], 1).tofile(DATA / "points.f64")
    tables(random)


main()
