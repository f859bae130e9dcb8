"""How PyTorch runs in tests."""

import pytest
import torch


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """More would wait for each other on a busy machine; and a program that is killed and begun again has one too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
