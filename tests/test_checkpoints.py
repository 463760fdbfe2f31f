"""A model in a file: it comes back as it was, or is refused with the reason."""

import json
import re
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

import dpm_lib as dpm
from dpm_lib.learning import checkpoints

RATES = torch.tensor([0.1, 0.3, 0.6])
KERNELS = [dpm.GaussianKernel(RATES), dpm.BinomialKernel(RATES.double(), 0.2)]


def trained(kernel, network, generator):
    """A model that is not the identity."""
    model = dpm.ReverseProcess(kernel, network(kernel, (2,), 8, generator=generator))
    with torch.no_grad():
        for p in model.parameters():
            p += 0.1 * torch.randn(p.shape, generator=generator, dtype=p.dtype)
    return model


def drawn(model):
    return model.sample(5, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("network", [dpm.MLPNetwork, dpm.RBFNetwork, dpm.StepwiseNetwork])
def test_a_model_comes_back_as_it_was(kernel, network, generator, tmp_path):
    """Weights, rates, dtype and samples to the last bit; notes and tensors beside it too."""
    model = trained(kernel, network, generator)
    path = tmp_path / "in" / "a.safetensors"
    assert dpm.save(model, path) == path
    again = dpm.load(path)
    assert torch.equal(drawn(again), drawn(model))
    assert again.kernel.matches(model.kernel)
    assert again.dtype == model.dtype
    assert [p.name for p in path.parent.iterdir()] == ["a.safetensors"]
    checkpoints.save(model, path, notes={"step": 3}, beside={"x": torch.arange(4)})
    found = checkpoints.read(path)
    assert found.notes == {"step": 3}
    assert torch.equal(found.beside["x"], torch.arange(4))
    assert torch.equal(drawn(found.model), drawn(model))


def test_a_loaded_model_needs_nothing_but_its_file(generator, tmp_path):
    """Another process draws the same."""
    model = trained(KERNELS[0], dpm.MLPNetwork, generator)
    path = dpm.save(model, tmp_path / "a.safetensors")
    code = (
        "import sys, torch, dpm_lib as dpm\n"
        "g = torch.Generator().manual_seed(1)\n"
        "print(dpm.load(sys.argv[1]).sample(5, generator=g).tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(drawn(model).tolist())


class Own(torch.nn.Module):
    """A network of a user, with a buffer that is saved."""

    def __init__(self, hidden=3):
        super().__init__()
        self.layer = torch.nn.Linear(2, hidden)
        self.out = torch.nn.Linear(hidden, 2)
        self.register_buffer("scale", torch.tensor(0.5))

    def forward(self, xt, t):
        return self.out(torch.tanh(self.layer(xt * self.scale)))


def test_a_network_of_a_user(tmp_path):
    """Its class must be given; with another one the tensors that differ are named."""
    model = dpm.ReverseProcess(KERNELS[0], Own(), (2,))
    model.network.scale.fill_(2.0)
    path = dpm.save(model, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=r"network must be given to load a\.safe.* a Own"):
        dpm.load(path)
    again = dpm.load(path, network=lambda kernel, event_shape: Own())
    assert torch.equal(drawn(again), drawn(model))
    assert again.network.scale == 2.0
    with pytest.raises(ValueError, match=r"must have the tensors of a.*'network.layer.weight'"):
        dpm.load(path, network=lambda kernel, event_shape: Own(4))


def test_a_scaler_is_kept_with_its_model(generator, tmp_path):
    """Data in their own units have second moment 1 behind it; K in them is a change of variable."""
    y = 30 + 4 * torch.randn(500, 2, generator=generator, dtype=torch.float64)
    scaler = dpm.Scaler(y)
    assert dpm.second_moment(scaler(y)).item() == pytest.approx(1)
    torch.testing.assert_close(scaler.inverse(scaler(y)), y)
    kernel = dpm.GaussianKernel(torch.tensor([0.1, 0.5, 0.9]).double())
    network = dpm.MLPNetwork(kernel, (2,), 4, generator=generator)
    model = dpm.ReverseProcess(kernel, network, scaler=scaler)
    again = dpm.load(dpm.save(model, tmp_path / "a.safetensors"))
    assert again.scaler.scale == scaler.scale
    assert again.float().scaler.shift == scaler.shift
    found = dpm.evaluate(model, scaler(y), generator=generator)
    prior = torch.distributions.Normal(scaler.shift, scaler.scale).log_prob(y).sum(1)
    own = found["K_own_units"] - found["K_minus_L_null"]
    assert own == pytest.approx(dpm.bits(prior.mean()).item())
    with pytest.raises(ValueError, match="y must not be one number throughout, got 3"):
        dpm.Scaler(3 * torch.ones(4, 2))


def test_a_scaler_of_each_coordinate_is_kept_too(generator, tmp_path):
    """Columns with units of their own: each has second moment 1, and K is that of all units."""
    units = torch.tensor([1.0, 50.0, 1e-3]).double()
    y = 7 + units * torch.randn(400, 3, generator=generator, dtype=torch.float64)
    scaler = dpm.Scaler(y, per_coordinate=True)
    torch.testing.assert_close(scaler(y).square().mean(0), torch.ones(3).double())
    torch.testing.assert_close(scaler.inverse(scaler(y)), y)
    kernel = dpm.GaussianKernel(torch.tensor([0.1, 0.5, 0.9]).double())
    network = dpm.MLPNetwork(kernel, (3,), 4, generator=generator)
    model = dpm.ReverseProcess(kernel, network, scaler=scaler)
    again = dpm.load(dpm.save(model, tmp_path / "a.safetensors"))
    assert torch.equal(again.scaler.scale, scaler.scale)
    assert torch.equal(again.scaler.shift, scaler.shift)
    found = dpm.evaluate(again, scaler(y), generator=generator)
    prior = torch.distributions.Normal(scaler.shift, scaler.scale).log_prob(y).sum(1)
    own = found["K_own_units"] - found["K_minus_L_null"]
    assert own == pytest.approx(dpm.bits(prior.mean()).item())
    with pytest.raises(ValueError, match=r"throughout in coordinate \[1\], got 3"):
        dpm.Scaler(y * torch.tensor([1, 0, 1]) + torch.tensor([0, 3, 0]), per_coordinate=True)


def test_every_cut_and_every_flipped_byte_is_refused(generator, tmp_path):
    """A file that is not as it was written gives no model, whatever is wrong with it."""
    model = trained(KERNELS[0], dpm.RBFNetwork, generator)
    whole = dpm.save(model, tmp_path / "a.safetensors").read_bytes()
    path = tmp_path / "b.safetensors"
    words = r"b\.safetensors must be (a whole safetensors file|written by|as it was written)"
    for place in range(0, len(whole), 97):
        path.write_bytes(whole[:place])
        with pytest.raises(ValueError, match=words):
            dpm.load(path)
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=words):
            dpm.load(path)
    path.write_bytes(whole)
    assert torch.equal(drawn(dpm.load(path)), drawn(model))


def test_foreign_files_are_refused(tmp_path):
    """Of another program, a pickle, none at all."""
    path = tmp_path / "a.safetensors"
    with pytest.raises(FileNotFoundError, match="path must name a file, there is no"):
        dpm.load(path)
    save_file({"x": torch.ones(2)}, path)
    with pytest.raises(ValueError, match=r"must be (written by dpm\.save|a whole safe)"):
        dpm.load(path)
    torch.save({"x": torch.ones(2)}, path)
    with pytest.raises(ValueError, match="must be a whole safetensors file"):
        dpm.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"kernel": "Other"}, {"kernel": None}, {"arguments": {"other": 3}}, {"arguments": 3},
        {"arguments": {"hidden": "a"}}, {"event_shape": None}, {"event_shape": ["a"]},
        {"dtype": "int64"}, {"dtype": None},
    ],
)  # fmt: skip
def test_a_header_of_no_model_is_refused(change, generator, tmp_path, monkeypatch):
    """Also where the hash is right: by a ValueError that names the file or what is wrong."""
    model = trained(KERNELS[0], dpm.MLPNetwork, generator)
    as_json = json.dumps
    monkeypatch.setattr(
        checkpoints.json, "dumps", lambda header, **how: as_json({**header, **change}, **how)
    )
    path = dpm.save(model, tmp_path / "a.safetensors")
    with pytest.raises((ValueError, TypeError), match=r"(a\.safetensors|kernel|event_shape) must"):
        dpm.load(path)


def test_a_good_file_survives_a_failed_save(generator, tmp_path, monkeypatch):
    """A full disk leaves the old file, and nothing beside it."""
    model = trained(KERNELS[0], dpm.MLPNetwork, generator)
    path = dpm.save(model, tmp_path / "a.safetensors")
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        dpm.save(trained(KERNELS[0], dpm.MLPNetwork, generator), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_the_header_says_what_is_inside(generator, tmp_path):
    """Anyone can read it without this library."""
    path = dpm.save(trained(KERNELS[1], dpm.MLPNetwork, generator), tmp_path / "a.safetensors")
    text = path.read_bytes()[:4000].decode("utf8", "replace")
    for word in ("BinomialKernel", "MLPNetwork", "hidden", "sha256", "kernel.rate"):
        assert re.search(word, text), word
