"""Connected components, 26 neighbours, with statistics: connected-components-3d."""

import cc3d
from files import scores, thresholds
from measure import measure

volume = scores()


def components(threshold):
    labels, count = cc3d.connected_components(volume >= threshold, connectivity=26, return_N=True)
    statistics = cc3d.statistics(labels)
    return [count, int(statistics["voxel_counts"][1:].sum())]


for part, threshold in thresholds().items():
    measure(f"cc3d {part} %", lambda: components(threshold))
