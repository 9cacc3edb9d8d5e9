"""Local maxima over a threshold: scikit-image's peak_local_max, and scipy's maximum_filter of size 3."""

import numpy as np
from files import scores, thresholds
from measure import measure
from scipy.ndimage import maximum_filter
from skimage.feature import peak_local_max

volume = scores()
threshold = thresholds()["1"]

measure("peak_local_max", lambda: len(peak_local_max(volume, min_distance=1, threshold_abs=threshold, exclude_border=False)))
measure("maximum_filter", lambda: int(np.count_nonzero((maximum_filter(volume, size=3) == volume) & (volume >= threshold))))
