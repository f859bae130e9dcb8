"""Fixtures of tests that run the models in the folder of recordings, and pictures to run them on."""

import cv2
import pytest


@pytest.fixture(scope="module")
def models(recordings):
    """Weights are looked for among the recordings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGHTLINE_MODELS", str(recordings / "models"))
        yield


@pytest.fixture(scope="module")
def pictures(models, recordings):
    """Three streets and squares in RGB, 1080x1920, two of them with dozens of people."""
    paths = sorted((recordings / "mot17/mini_img").glob("*/000001.jpg"))
    return [cv2.imread(str(path))[:, :, ::-1] for path in paths]
