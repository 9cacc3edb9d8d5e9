"""A whole volume read from Zarr by zarr-python 3 with its default threads."""

import zarr
from files import DATA
from measure import measure

for name in ("lz4-64", "lz4-128", "lz4-256", "sharded"):
    array = zarr.open_array(DATA / f"{name}.zarr", path="0", mode="r")
    measure(f"zarr-python {name}", lambda: float(array[:].ravel()[array.size // 2]))
