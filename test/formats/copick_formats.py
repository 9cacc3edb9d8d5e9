"""Moves picks between copick and the files of other programs, by copick's own import and export; for copick.test.ts.

    python copick_formats.py export CONFIG FOLDER     every format copick writes, of the picks and the tomogram in the project
    python copick_formats.py import CONFIG FOLDER     every file in the folder into the project, as the user its name tells
"""

import json
import sys
from pathlib import Path

import copick
from copick.impl.mlcroissant import _parse_ndjson_picks
from copick.ops.add import add_picks_from_file
from copick.ops.export import export_picks, export_tomogram

command, config, folder = sys.argv[1:]
root = copick.from_file(config)
folder = Path(folder)
VOXEL = 10.0
run = root.runs[0]


def export():
    picks = run.get_picks(object_name="ribosome", user_id="ours")[0]
    size = {"voxel_spacing": VOXEL, "tomogram_index": 4}
    export_picks(picks, str(folder / "picks.em"), "em", **size)
    export_picks(picks, str(folder / "picks.tbl"), "dynamo", **size)
    export_picks(picks, str(folder / "picks.csv"), "csv")
    pose = {"filament_columns": "on", "filament_angles": "pose"}
    export_picks(picks, str(folder / "centred.star"), "star", VOXEL, coordinates="centered", **pose)
    export_picks(picks, str(folder / "pixels.star"), "star", VOXEL, tilt_series_pixel_size=2.0, **pose)
    export_picks(picks, str(folder / "frame.star"), "star", VOXEL, filament_columns="on")
    tomogram = run.get_voxel_spacing(VOXEL).tomograms[0]
    for kind in ("mrc", "tiff"):
        export_tomogram(tomogram, str(folder / f"tomogram.{kind}"), kind)


def bring_in():
    for path in sorted(folder.iterdir()):
        if path.suffix == ".ndjson":
            found = _parse_ndjson_picks(
                path.read_text(), VOXEL, pickable_object_name="ribosome", user_id=path.stem, session_id="0", run_name=run.name
            )
            picks = run.new_picks("ribosome", "0", path.stem)
            picks.points = found.points
            picks.store()
        else:
            options = {"tilt_series_pixel_size": 2.0} if path.stem == "relion4" else {}
            add_picks_from_file(root, run.name, str(path), "ribosome", path.stem, "0", voxel_spacing=VOXEL, **options)


{"export": export, "import": bring_in}[command]()
print(json.dumps(sorted(path.name for path in folder.iterdir())))
