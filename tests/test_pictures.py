"""Networks for pictures, and data sets of them."""

import gzip
import hashlib
import io
import tarfile

import pytest
import torch

import dpm_lib as dpm
from dpm_lib.learning import recipes, splits
from dpm_lib.learning.data import fetched
from dpm_lib.learning.networks.readout import of_data

GAUSSIAN = dpm.GaussianKernel(dpm.schedules.geometric(30, 1e-3, 0.4))
BINOMIAL = dpm.BinomialKernel(dpm.schedules.erase_evenly(30), 0.2)
NETWORKS = [
    (dpm.UNetNetwork, {"width": 8}),
    (dpm.UNetNetwork, {"width": 8, "octaves": 2}),
    (dpm.MultiScaleNetwork, {"width": 6, "layers": 2, "scales": 3, "hidden": 12, "bumps": 4}),
]


def pictures(kernel, n, generator, channels=1):
    """States of the prior, 8x8."""
    return dpm.draw(kernel.prior((n, channels, 8, 8)), generator)


def awake(network, generator):
    """A network none of whose parameters is 0 throughout."""
    for p in network.parameters():
        if not p.any():
            torch.nn.init.normal_(p, std=0.1, generator=generator)
    return network


@pytest.mark.parametrize(("network", "sizes"), NETWORKS)
@pytest.mark.parametrize("kernel", [GAUSSIAN, BINOMIAL])
@pytest.mark.parametrize("channels", [1, 3])
def test_untrained_networks_are_the_identity(network, sizes, kernel, channels, generator):
    """The reverse step is the forward step, to the last digit."""
    made = network(kernel, (channels, 8, 8), **sizes, generator=generator)
    model, x = dpm.ReverseProcess(kernel, made), pictures(kernel, 4, generator, channels)
    for t in (2, 17, 30):
        torch.testing.assert_close(model.step(x, t).mean, kernel.step(x, t).mean)
        torch.testing.assert_close(model.step(x, t).variance, kernel.step(x, t).variance)


@pytest.mark.parametrize(("network", "sizes"), NETWORKS)
@pytest.mark.parametrize("kernel", [GAUSSIAN, BINOMIAL])
def test_rows_do_not_see_each_other(network, sizes, kernel, generator):
    """Each picture and step is answered for itself, whether or not all rows have one step."""
    made = awake(network(kernel, (1, 8, 8), **sizes, generator=generator), generator)
    x, t = pictures(kernel, 5, generator), torch.tensor([2, 9, 9, 30, 16])
    together = made(x, t)
    for row in range(5):
        alone = made(x[row : row + 1], t[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone)
        same = made(x, t[row].expand(5))
        torch.testing.assert_close(together[row], same[row])
    assert (made(x, t[0].expand(5)) - made(x, t[3].expand(5))).abs().amax() > 1e-3


@pytest.mark.parametrize(("network", "sizes"), NETWORKS)
def test_every_output_sees_every_pixel_and_every_weight_counts(network, sizes, generator):
    """A pixel far away changes the output, and no parameter is without a gradient."""
    made = awake(network(GAUSSIAN, (1, 8, 8), **sizes, generator=generator), generator)
    x = pictures(GAUSSIAN, 1, generator).requires_grad_()
    t = torch.tensor([5])
    corner = made(x, t)[0, 0, 0, 0]
    (slope,) = torch.autograd.grad(corner, x)
    assert (slope != 0).all()
    made(x, t).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in made.parameters())


@pytest.mark.parametrize(("network", "sizes"), NETWORKS)
def test_networks_are_made_by_their_generator_alone(network, sizes):
    """The same seed gives the same weights, whatever torch's own generator has done."""
    seeds = (0, 0, 1)
    first, again, other = (
        network(GAUSSIAN, (1, 8, 8), **sizes, generator=torch.Generator().manual_seed(seed))
        for seed in seeds
        if torch.rand(3).numel()
    )
    pairs = list(zip(first.parameters(), again.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(p, q) for p, q, _ in pairs)
    assert not all(torch.equal(p, r) for p, _, r in pairs)


def test_multi_scale_readout_moves_with_the_bumps(generator):
    """The output is a partition of unity of as many pictures as there are bumps."""
    made = awake(
        dpm.MultiScaleNetwork(GAUSSIAN, (1, 8, 8), 6, 1, 1, 12, 4, generator=generator), generator
    )
    x, t = pictures(GAUSSIAN, 1, generator), torch.arange(2, 31)
    seen = made(x.expand(29, 1, 8, 8), t).flatten(1)
    bumps = dpm.learning.networks.temporal_bumps(t.double(), 30, 4)
    assert torch.linalg.matrix_rank(seen) == 4
    torch.testing.assert_close(bumps @ torch.linalg.lstsq(bumps, seen).solution, seen)


def test_a_multi_scale_layer_gives_nothing_for_nothing(generator):
    """Softplus is shifted by its value at 0: log of the mean of 1 and e^v."""
    made = dpm.MultiScaleNetwork(GAUSSIAN, (1, 8, 8), 6, 1, 2, 12, 4, generator=generator)
    layer, x = made.layers[0], pictures(GAUSSIAN, 2, generator)
    fine, coarse = layer.scales
    v = fine(x) + coarse(
        x.unflatten(2, (4, 2)).unflatten(4, (4, 2)).mean((3, 5))
    ).repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(layer(x), ((1 + v.exp()) / 2).log())
    for p in layer.parameters():
        p.data.zero_()
    assert layer(x).abs().max() < 1e-6


@pytest.mark.parametrize("octaves", [0, 2])
@pytest.mark.parametrize("bit", [0.0, 1.0])
def test_a_unet_says_log_odds_of_the_data_of_bits(octaves, bit, generator):
    """Who is certain of a bit of the data takes the step of the forward posterior."""
    made = dpm.UNetNetwork(BINOMIAL, (1, 8, 8), 8, octaves=octaves, generator=generator)
    made.last.bias.data.fill_(80 * (2 * bit - 1))
    xt, model = pictures(BINOMIAL, 4, generator), dpm.ReverseProcess(BINOMIAL, made)
    for t in (2, 11, 30):
        known = BINOMIAL.posterior(torch.full_like(xt, bit), xt, t)
        torch.testing.assert_close(model.step(xt, t).mean, known.mean)


def test_log_odds_of_the_data_give_the_best_step(generator):
    """With the true chance of each bit given the other bits, the step is q's own marginal."""
    law = dpm.heartbeat(10)
    kernel = dpm.BinomialKernel(dpm.schedules.erase_evenly(6), 0.2)
    patterns, d = law.patterns, 10
    xt = dpm.draw(kernel.marginal(patterns, 4), generator)
    t = torch.full((len(xt),), 4)
    steps = kernel.marginal(patterns, 4).base_dist.log_prob  # of each bit, for each pattern
    by_bit = torch.stack([steps(x.expand(len(patterns), d)) for x in xt])
    others = torch.softmax(by_bit.sum(-1, keepdim=True) - by_bit, 1)
    chance = (others * patterns).sum(1)
    base = kernel.rate.logit()
    z = of_data(kernel, chance.logit() - base, t)
    weights = torch.softmax(by_bit.sum(-1), 1)
    back = torch.stack([kernel.posterior(patterns, x.expand(len(patterns), d), 4).mean for x in xt])
    exact = (weights[:, :, None] * back).sum(1)
    torch.testing.assert_close(kernel.head(xt, t, z).mean, exact)
    wrong = kernel.head(xt, t, chance.logit() - base).mean
    assert (wrong - exact).abs().max() > 0.01


@pytest.mark.parametrize("rate", [1e-6, 1e-4, 0.13])
@pytest.mark.parametrize("side", [-1, 1])
def test_log_odds_keep_their_digits_at_the_end_of_the_chain(rate, side):
    """Where hardly anything is left of the data, and a bit is nearly certain: in float32 too."""
    kernel = dpm.BinomialKernel(dpm.schedules.cosine(1000), rate)
    c, t = torch.tensor([[20.0 * side]]), torch.tensor([1000])
    exact = of_data(kernel, c.double(), t)
    kept, fresh = kernel.alpha_bar[999], kernel.beta_bar[999]
    one = kept * (kernel.rate.logit() + c.double()).sigmoid() + rate * fresh
    zero = kept * (-kernel.rate.logit() - c.double()).sigmoid() + (1 - rate) * fresh
    wanted = one.log() - zero.log() - kernel.rate.logit()
    torch.testing.assert_close(exact, wanted, rtol=1e-9, atol=1e-15)
    error = (of_data(kernel, c, t).double() - exact).abs() / exact.abs()
    assert error < max(1e-5, 2e-7 / exact.abs().item())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rate", [0.13, 0.9])
def test_log_odds_are_the_formula_to_rounding(dtype, rate):
    """As two logarithms in double precision would have it, for bits that are nearly certain too."""
    kernel = dpm.BinomialKernel(dpm.schedules.geometric(40, 1e-7, 0.5), rate)
    c = torch.linspace(-60, 60, 401, dtype=dtype)[:, None]
    base = kernel.rate.logit()
    for t in (2, 3, 20, 40):
        z = of_data(kernel, c, torch.tensor([t]).expand(len(c)))
        kept, fresh = kernel.alpha_bar[t - 1], kernel.beta_bar[t - 1]
        one = kept * (c.double() + base).sigmoid() + rate * fresh
        zero = kept * (-c.double() - base).sigmoid() + (1 - rate) * fresh
        exact = one.log() - zero.log() - base
        error = (z - exact).abs() / exact.abs().clamp(min=1)
        assert error.max() < 20 * torch.finfo(dtype).eps


def test_log_odds_stay_finite_at_the_ends(generator):
    """Certain bits, at the first and the last step, in single precision."""
    kernel = dpm.BinomialKernel(dpm.schedules.cosine(1000, dtype=torch.float32), 0.13)
    c = torch.tensor([[-90.0, 90.0, 0.0]]).requires_grad_()
    for t in (2, 1000):
        z = of_data(kernel, c, torch.tensor([t]))
        z.sum().backward()
        assert z.isfinite().all()
        assert c.grad.isfinite().all()
        assert z[0, 2].abs() < 1e-6


def test_a_unet_learns_where_a_pixel_is(generator):
    """A bar in one of two places: K comes near the optimum of bits that know each other."""
    x0 = torch.zeros(2, 1, 4, 4)
    x0[0, 0, 0], x0[1, 0, 3] = 1.0, 1.0
    kernel = dpm.BinomialKernel(dpm.schedules.erase_evenly(20, dtype=torch.float32), 0.25)
    model = dpm.ReverseProcess(kernel, dpm.UNetNetwork(kernel, (1, 4, 4), 8, generator=generator))
    dpm.fit(model, x0, steps=150, batch=64, learning_rate=1e-2, generator=generator)
    law = dpm.PatternLaw(x0.flatten(1).double(), torch.ones(2).double())
    exact = dpm.BinomialKernel(kernel.beta.double(), 0.25)
    best = dpm.ReverseProcess(exact, law.reversal(exact))
    g = torch.Generator().manual_seed(1)
    optimum = dpm.bound(best, law.sample(500, g), generator=g).K.mean().item()
    x = x0.repeat(250, 1, 1, 1)
    with torch.no_grad():
        found = dpm.bound(model, x, generator=g).K.mean().item()
    assert optimum - 0.6 < found < optimum + 0.1


def idx(shape, seed):
    """An IDX file of pictures."""
    n = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed))
    head = bytes([0, 0, 8, 3]) + b"".join(s.to_bytes(4, "big") for s in shape)
    return head + bytes(n.flatten().tolist()), n.to(torch.uint8)


@pytest.fixture
def mnist_folder(tmp_path, monkeypatch):
    """A folder with a small MNIST."""
    levels = []
    for seed, (file, count) in enumerate(zip(fetched.MNIST, (50, 20), strict=True)):
        content, level = idx((count, 28, 28), seed)
        monkeypatch.setitem(
            fetched.CONTENT, file.removesuffix(".gz"), hashlib.sha256(content).hexdigest()
        )
        (tmp_path / file).write_bytes(gzip.compress(content))
        levels.append(level[:, None])
    monkeypatch.setenv(fetched.FOLDER, str(tmp_path))
    return tmp_path, levels


def test_mnist_from_a_folder(mnist_folder, generator):
    """Levels are those of the files; scaled, they have second moment 1 and go back."""
    _, (train, test) = mnist_folder
    found = dpm.mnist(generator=generator)
    assert torch.equal(found.levels, train)
    assert found.test.dtype == torch.float32
    assert dpm.second_moment(found.train).item() == pytest.approx(1, abs=1e-5)
    for x, levels in ((found.train, train), (found.test, test)):
        assert (found.scaler.inverse(x) - levels).abs().max() <= 0.5 + 1e-3
    x = found.draw(4, generator)
    assert x.shape == (4, 1, 28, 28)
    assert (found.scaler.inverse(x).round() == found.scaler.inverse(x).round().clamp(0, 255)).all()


def test_damaged_and_missing_files_are_named(mnist_folder, generator):
    """A cut file, another content, no file."""
    folder, _ = mnist_folder
    path = folder / fetched.MNIST[1]
    whole = path.read_bytes()
    for place in (0, 5, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:place])
        with pytest.raises(ValueError, match=r"t10k.*must be (whole|as it was pub)"):
            dpm.mnist(generator=generator)
    path.write_bytes(gzip.compress(gzip.decompress(whole)[:-1] + b"\0"))
    with pytest.raises(ValueError, match="must be as it was published, the SHA-256 of its t10k"):
        dpm.mnist(generator=generator)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="DPM_DATA must name a folder with t10k"):
        dpm.mnist(generator=generator)


def test_without_net_or_folder_it_says_what_to_do(monkeypatch, generator, tmp_path):
    """Both mirrors are named, and the variable that would help."""
    pooch = pytest.importorskip("pooch")

    def unreachable(*_, **__):
        raise ConnectionError

    monkeypatch.delenv(fetched.FOLDER, raising=False)
    monkeypatch.setattr(pooch, "retrieve", unreachable)
    with pytest.raises(OSError, match=r"cvdf.*ossci.*set DPM_DATA to a folder that holds it"):
        dpm.mnist(generator=generator)
    (tmp_path / fetched.MNIST[0]).write_bytes(b"an error page")
    monkeypatch.setattr(pooch, "retrieve", lambda url, known, file, *_, **__: tmp_path / file)
    with pytest.raises(ValueError, match="must be whole"):
        dpm.mnist(generator=generator)


def test_cifar_from_a_folder(tmp_path, monkeypatch, generator):
    """Rows are a label and three planes of colour; batches come in their order."""
    file, rows = tmp_path / fetched.CIFAR10, {}
    with tarfile.open(file, "w:gz") as archive:
        for name in sorted(fetched.CONTENT, reverse=True):
            if name.endswith(".bin"):
                rows[name] = torch.randint(0, 256, (2, 3073), generator=generator).to(torch.uint8)
                content = bytes(rows[name].flatten().tolist())
                monkeypatch.setitem(fetched.CONTENT, name, hashlib.sha256(content).hexdigest())
                member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    monkeypatch.setenv(fetched.FOLDER, str(tmp_path))
    found = dpm.cifar10(generator=generator)
    assert found.levels.shape == (10, 3, 32, 32)
    for n in range(1, 6):
        expected = rows[f"data_batch_{n}.bin"][:, 1:].view(2, 3, 32, 32)
        assert torch.equal(found.levels[2 * n - 2 : 2 * n], expected)
    back = found.scaler.inverse(found.test)
    assert (back - rows["test_batch.bin"][:, 1:].view(2, 3, 32, 32)).abs().max() <= 0.5 + 1e-3


def test_an_archive_without_a_part_is_refused(tmp_path, monkeypatch, generator):
    """No part of CIFAR-10 is left out in silence, nor all of them."""
    with tarfile.open(tmp_path / fetched.CIFAR10, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("cifar-10-batches-bin/readme.html"), io.BytesIO())
    monkeypatch.setenv(fetched.FOLDER, str(tmp_path))
    with pytest.raises(ValueError, match=r"as it was published, it lacks data_batch_1\.bin"):
        dpm.cifar10(generator=generator)


def test_bits_of_mnist_follow_the_grey_levels(mnist_folder, generator):
    """A level of g is a 1 in g of 255 draws, anew in each batch; what is held out stays."""
    _, (train, _) = mnist_folder
    like = torch.device("cpu"), torch.float32
    parts, again = (splits.mnist_bits(*like, torch.Generator().manual_seed(0)) for _ in "ab")
    assert torch.equal(parts.held_out, again.held_out)
    x = parts.source(20_000, generator)
    assert set(x.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(x.mean(0), train.float().mean(0) / 255, atol=0.03, rtol=0)
    assert x.mean().item() == pytest.approx(train.float().mean().item() / 255, abs=1e-3)


@pytest.mark.parametrize("name", ["mnist", "mnist-noise", "mnist-bits"])
def test_mnist_is_measured_as_on_record(name, mnist_folder, generator):
    """At as many steps of each example, and on pictures of that shape."""
    parts = recipes.RECIPES[name].data(torch.device("cpu"), torch.float32, generator)
    found = [*dpm.recorded("mnist"), *dpm.recorded("mnist_bits")]
    assert {run["steps"] for run in found if run["recipe"] == name} == {parts.steps}
    assert parts.picture[-2:] == (28, 28)
    assert parts.held_out.shape[0] == 20
    assert parts.source(3, generator).shape == (3, *parts.held_out.shape[1:])
