import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("dpm", deadline=None, derandomize=True, database=None)
settings.load_profile("dpm")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no CUDA device"))])  # fmt: skip
def device(request):
    return torch.device(request.param)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(7)
