"""Rows are selected together, and their shapes are checked."""

import numpy as np
import pytest
from builders import detections, frame


def test_rows_select_together():
    found = detections(frame(), [(0, 1, 2, 3), (4, 5, 6, 7)], scores=[0.9, 0.1], heights_m=[1.7, 1.2])
    sure = found[found.scores > 0.5]
    assert len(sure) == 1
    assert sure.boxes.tolist() == [[0, 1, 2, 3]]
    assert sure.heights_m.tolist() == [np.float32(1.7)]


def test_refuses_arrays_of_other_shapes():
    with pytest.raises(ValueError, match=r"Detections.scores must have shape \(2,\), got \(3,\)"):
        detections(frame(), np.zeros((2, 4)), scores=np.zeros(3))
