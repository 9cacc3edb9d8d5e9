"""Prints the rotations that files of picks mean, object space to tomogram space, as programs of the field read them.

    python read_rotations.py RELION.star DYNAMO.tbl STOPGAP.star
"""

import json
import sys

import dynamotable
import eulerangles
import starfile
from scipy.spatial.transform import Rotation

relion, dynamo, stopgap = sys.argv[1:]


def of_relion(angles):
    # As copick 1.31 reads RELION's angles (copick/util/relion.py).
    return Rotation.from_euler("ZYZ", angles, degrees=True).inv().as_matrix().tolist()


table = starfile.read(relion)
found = {"relion5": of_relion(table[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy())}

# eulerangles knows both programs' conventions.
table = dynamotable.read(dynamo)
angles = table[["tdrot", "tilt", "narot"]].to_numpy()
found["dynamo"] = of_relion(eulerangles.convert_eulers(angles, source_meta="dynamo", target_meta="relion"))

# As cryoCAT 0.7.1 reads motive lists (Motl.get_rotations).
table = starfile.read(stopgap)
angles = table[["phi", "the", "psi"]].to_numpy()
found["stopgap"] = Rotation.from_euler("zxz", angles, degrees=True).as_matrix().tolist()

print(json.dumps(found))
