"""Two processes are one training: the same numbers, one writer, one message, one end."""

import contextlib
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.distributions import Categorical, MixtureSameFamily

import dpm_lib as dpm
from dpm_lib import cli
from dpm_lib.evidence.storage import locked
from dpm_lib.learning import checkpoints, diffusions, parallel, recipes, runs, splits

ROOT = Path(dpm.__file__).parents[1]
W, T = 2, 7
BETA = dpm.schedules.geometric(T, 0.02, 0.6)
STEPS = 12
TINY = recipes.Recipe(
    splits.heartbeat, partial(diffusions.even_binomial, T=10, rate=0.2),
    partial(dpm.MLPNetwork, hidden=8), dpm.Settings(STEPS, batch=16, average=0.9),
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork") or not torch.distributed.is_available(), reason="no processes to join"
)


class Together:
    """Processes started as torchrun starts them, whose streams go to files."""

    context = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else None)
    context.set_forkserver_preload(["dpm_lib.cli", "torch._dynamo"])  # so that a start is cheap

    def __init__(self, folder, work, *args):
        folder.mkdir(exist_ok=True)
        self.store = torch.distributed.TCPStore("localhost", 0, None, True, wait_for_workers=False)
        self.streams = [folder / f"{i}.txt" for i in range(W)]
        self.processes = [
            self.context.Process(target=self.run, args=(i, self.store.port, stream, work, *args))
            for i, stream in enumerate(self.streams)
        ]
        for process in self.processes:
            process.start()

    @staticmethod
    def run(number, port, stream, work, *args):
        os.environ |= {
            "RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": str(W),
            "MASTER_ADDR": "localhost", "MASTER_PORT": str(port),
            "TORCHELASTIC_USE_AGENT_STORE": "True",
        }  # fmt: skip
        with stream.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        torch.set_num_threads(1)
        recipes.RECIPES["tiny"] = TINY
        work(*args)

    def ended(self):
        """Exit codes of all, and what they said together."""
        for process in self.processes:
            process.join(60)
            assert process.exitcode is not None, "it hangs"
        codes = [process.exitcode for process in self.processes]
        return codes, "".join(stream.read_text() for stream in self.streams)


def together(folder, work, *args):
    """Run to the end; all must have gone well."""
    codes, said = Together(folder, work, *args).ended()
    assert codes == [0] * W, said


class Choosy(torch.nn.Module):
    """A network with a parameter that only rows of late steps reach; it takes rows as one."""

    event_shape = torch.Size([2])

    def __init__(self):
        super().__init__()
        self.all = torch.nn.Parameter(torch.full((2,), 0.1).double())
        self.late = torch.nn.Parameter(torch.full((2,), 0.2).double())

    def forward(self, xt, t):
        z = xt.view(-1).view_as(xt) * self.all
        late = (t > T - 2)[:, None]
        return z + late * xt * self.late if late.any() else z


class Mixed(torch.nn.Module):
    """A network that returns mixtures, whose divergences are drawn."""

    event_shape = torch.Size([2])

    def __init__(self, kernel):
        super().__init__()
        self.kernel = kernel
        self.means = torch.nn.Parameter(torch.tensor([[-0.5, 0.1], [0.3, 0.9]]).double())

    def forward(self, xt, t):
        z = (xt[:, None] + self.means).flatten(0, 1)
        parts = self.kernel.head(xt.repeat_interleave(2, 0), t.repeat_interleave(2), z)
        loc, scale = (p.view(-1, 2, 2) for p in (parts.base_dist.loc, parts.base_dist.scale))
        normals = torch.distributions.Independent(torch.distributions.Normal(loc, scale), 1)
        return MixtureSameFamily(Categorical(logits=torch.zeros(len(xt), 2).double()), normals)


CASES = {
    "gaussian": (dpm.GaussianKernel, "mlp", {"batch": 12}),
    "binomial": (dpm.BinomialKernel, "mlp", {"batch": 4, "objective": "full", "average": 0.9}),
    "noise": (dpm.GaussianKernel, "mlp", {"batch": 12, "objective": "noise", "clip": 0.3}),
    "choosy": (dpm.GaussianKernel, "choosy", {"batch": 4, "objective": "stratified"}),
    "mixture": (dpm.GaussianKernel, "mixed", {"batch": 12}),
    "rates": (dpm.GaussianKernel, "mlp", {"batch": 12, "average": 0.9, "learn_rates": True}),
}


def trainer(case, seed=1):
    """At its first update."""
    kind, net, settings = CASES[case]
    g = torch.Generator().manual_seed(seed)
    kernel = kind(BETA)
    network = {
        "mlp": lambda: dpm.MLPNetwork(kernel, (2,), hidden=8, layers=1, generator=g),
        "choosy": Choosy,
        "mixed": lambda: Mixed(kernel),
    }[net]()
    x0 = torch.randn(50, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    x0 = x0 / x0.square().mean().sqrt() if kind is dpm.GaussianKernel else (x0 > 0.5).double()
    model = dpm.ReverseProcess(kernel, network)
    return dpm.Trainer(model, x0, dpm.Settings(STEPS, **settings), generator=g)


def trained(case, damage=lambda: None):
    """What a training leaves: K of each batch, the last gradient, parameters, the generator."""
    t = trainer(case)
    damage()
    found = {"K": torch.tensor([t.update() for _ in range(STEPS)]).double()}
    found |= {f"gradient.{i}": p.grad.clone() for i, p in enumerate(t.parameters)}
    t.finish()
    found |= {f"parameter.{i}": p.detach().clone() for i, p in enumerate(t.parameters)}
    return found | {"generator": t.generator.get_state()}


def left(folder, *args):
    """Leave it in a file for each process."""
    with parallel.joined("cpu") as device:
        assert device == "cpu"
        save_file(trained(*args), folder / f"{parallel.rank()}.safetensors")
    assert not torch.distributed.is_initialized()


def in_two(folder, *args):
    together(folder, left, folder, *args)
    return [load_file(folder / f"{i}.safetensors") for i in range(W)]


@pytest.mark.parametrize("case", CASES)
def test_two_give_what_one_gives(case, tmp_path):
    """With the joined batch, but for the order of summation; and both have the same bits."""
    one, (first, second) = trained(case), in_two(tmp_path, case)
    torch.testing.assert_close(first, one, rtol=1e-9, atol=1e-10)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert torch.equal(one["generator"], first["generator"])


def summed():
    """Gradients and K are added up, and not divided."""
    average = parallel.average

    def add(tensors):
        average(tensors)
        torch._foreach_mul_(list(tensors), W)

    parallel.average = add


def alone():
    """Each trains on its rows, and hears of no other."""
    parallel.average = lambda tensors: None


@pytest.mark.parametrize("damage", [summed, alone])
def test_damaged_processes_do_not_give_what_one_gives(damage, tmp_path):
    """By far more than rounding; Adam hides a sum in the parameters, not in the gradient."""
    one, (first, second) = trained("gaussian"), in_two(tmp_path, "gaussian", damage)
    for name in ["K", "gradient.0"] if damage is summed else one.keys() - {"generator"}:
        assert (first[name] - one[name]).abs().max() > 1e-3, name
    assert torch.equal(first["parameter.0"], second["parameter.0"]) == (damage is summed)


def refused(folder):
    """What each process says of trainings that it cannot share or go on with, a line for each."""
    with parallel.joined("cpu"):
        number, x0 = parallel.rank(), torch.ones(3, 2).double()
        seeds = [torch.Generator().manual_seed(i) for i in range(W)]
        t = trainer("gaussian")
        kept = recipes.make("tiny", seed=0, steps=STEPS)
        kept.notes["device"] = "cpu:0"
        attempts = [
            lambda: dpm.Trainer(t.model, x0, dpm.Settings(1, batch=13), generator=seeds[0]),
            lambda: trainer("gaussian", seed=number),
            lambda: dpm.Trainer(t.model, x0, t.settings, generator=seeds[number]),
            lambda: dpm.Trainer(t.model, x0 - 2 * number, t.settings, generator=seeds[0]),
            lambda: runs.train(  # only the first sees the folder
                kept, folder / ("elsewhere" if number else "run"), resume=True, report=print
            ),
            lambda: [not_a_number(t, 4), t.update()],
        ]
        for attempt in attempts:
            with pytest.raises(ValueError, match=" must ") as caught:
                attempt()
            with (folder / f"{number}.said").open("a") as file:
                file.write(f"{caught.value}\n")


def test_what_cannot_be_shared_is_refused_by_all(tmp_path):
    """A batch that does not divide, whatever is not the same everywhere, and NaN of one."""
    together(tmp_path / "first", run, tmp_path / "run")
    together(tmp_path, refused, tmp_path)
    said = [(tmp_path / f"{number}.said").read_text().splitlines() for number in range(W)]
    assert said[0] == said[1]
    batch, *others, nan = said[0]
    assert batch == f"batch must be a multiple of the number of processes, {W}, got 13"
    assert others == 4 * [
        "model, x0 and generator must be the same in all processes, got others in some"
    ]
    assert re.search(r"finite K, it is nan at step 1 of the training \(t = \d\)", nan)


def unspoilt(made, step):
    """Nothing goes wrong."""


def run(folder, spoil=unspoilt, device="cpu", *, bar=False):
    """``dpm train`` with a checkpoint after every update, and with what goes wrong after it."""
    train = runs.train

    def spoilt(made, folder, *, resume, report):
        made.notes["device"] = f"cpu:{parallel.rank()}"  # as GPUs have numbers

        def both(step, K):
            report(step, K)
            spoil(made, step)

        return train(made, folder, resume=resume, report=both, seconds=0)

    shown = {"delay": 0} if bar else {"mininterval": 1000}
    runs.train, cli.tqdm = spoilt, lambda tqdm=cli.tqdm, **how: tqdm(**how | shown)
    cli.app(["train", "tiny", "--device", device, "--out", str(folder), "--resume"])


def test_one_writes_and_the_others_are_silent(tmp_path):
    """A line for each checkpoint, one bar, one result."""
    together(tmp_path, partial(run, bar=True), tmp_path / "run")
    said, *others = (stream.read_text() for stream in sorted(tmp_path.glob("*.txt")))
    assert others == [""] * (W - 1)
    assert f"{STEPS}/{STEPS}" in said
    assert said.count("bits per example") == said.count(runs.LAST) == 1
    assert steps(tmp_path / "run") == list(range(1, STEPS + 1))


def slowly(made, step):
    time.sleep(0.05)


def steps(folder):
    lines = (folder / runs.METRICS).read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


@pytest.mark.parametrize("victim", range(W))
def test_killed_it_goes_on_to_the_same_bits(victim, tmp_path):
    """One is killed: the other ends by itself and says so; each line is written once."""
    together(tmp_path / "0", run, tmp_path / "whole")
    both = Together(tmp_path / "1", run, tmp_path / "torn", slowly)
    while not (tmp_path / "torn" / runs.PREVIOUS).exists():
        assert not wait([process.sentinel for process in both.processes], 0.01)
    both.processes[victim].kill()
    codes, said = both.ended()
    assert codes[victim] == -signal.SIGKILL
    assert codes[1 - victim] == 2
    assert said == "Error: another process of this training has ended or cannot be reached\n"
    assert 1 < len(steps(tmp_path / "torn")) < STEPS
    together(tmp_path / "2", run, tmp_path / "torn")
    assert steps(tmp_path / "torn") == steps(tmp_path / "whole") == list(range(1, STEPS + 1))
    contents = [checkpoints._contents(tmp_path / name / runs.LAST)[0] for name in ("torn", "whole")]
    assert contents[0].keys() == contents[1].keys()
    for name, value in contents[0].items():
        assert torch.equal(value, contents[1][name]), name


def not_a_number(made, step):
    """One process comes upon NaN at one of its rows."""
    kernel = made.model.kernel
    if step == 4 and parallel.rank() == 1:
        learned = kernel.divergence
        kernel.divergence = lambda x0, *rest: (
            learned(x0, *rest) + torch.tensor([torch.nan] + [0.0] * (len(x0) - 1))
        )


def no_memory(made, step):
    """One process has too little memory, before it hears of the others."""

    def noised(*_):
        raise MemoryError("none left")

    if step == 4 and parallel.rank() == 1:
        made.model.kernel.noised = noised


def no_space(made, step):
    """The disk of the writer is full."""

    def full(*_):
        raise OSError(28, "No space left on device")

    if step == 4:
        os.fsync = full


def no_number(made, step):
    """Parameters are not finite: the writer alone looks at them."""
    if step == 4:
        next(made.model.parameters()).data.fill_(torch.nan)


def asked(made, step):
    """Ctrl-C reaches the one that does not write, and to write takes long."""
    save = runs.save
    if step == 4 and parallel.rank() == 1:
        signal.raise_signal(signal.SIGINT)
    if step == 4:
        runs.save = lambda *args, **kept: [time.sleep(0.3), save(*args, **kept)][1]


@pytest.mark.parametrize(("spoil", "code", "words", "last"), [
    (not_a_number, 2, r"finite K, it is nan at step 5 of the training \(t = \d+\).*good check", 4),
    (no_memory, 2, r"batch must be lower for this device, now 16: none left", 4),
    (no_space, 2, r"No space left on device", 3),
    (no_number, 2, r"finite parameters, it has others after step 4 of .*the last good check", 3),
    (asked, 130, r"stopped after step 4, saved in .*the same command with --resume goes on", 4),
])  # fmt: skip
def test_what_ends_one_ends_all_with_one_message(spoil, code, words, last, tmp_path):
    """Whatever it is, and wherever: the first to know says it, and none hangs."""
    both = Together(tmp_path, run, tmp_path / "run", spoil)
    wait([process.sentinel for process in both.processes], 60)
    if spoil is asked:  # none has ended before all is saved
        assert checkpoints.read(tmp_path / "run" / runs.LAST).notes["step"] == last
    codes, said = both.ended()
    assert checkpoints.read(tmp_path / "run" / runs.LAST).notes["step"] == last
    assert sorted(codes) == [1, code], said
    assert len(re.findall(words, said)) == 1
    assert said.count("\n") == 1
    assert steps(tmp_path / "run") == list(range(1, last + 1))


def test_a_folder_in_use_ends_all(tmp_path):
    """The writer is refused, and the others end."""
    with locked(tmp_path / "run" / "run"):
        codes, said = Together(tmp_path, run, tmp_path / "run").ended()
    assert sorted(codes) == [1, 2]
    assert said.count("\n") == said.count("out must be a folder of its own, another run uses") == 1


@pytest.mark.skipif(torch.cuda.device_count() >= W, reason="a GPU for each process")
def test_each_process_has_a_gpu_of_its_own(tmp_path):
    """Or is refused, by the number of the one that is not there."""
    codes, said = Together(tmp_path, run, tmp_path / "run", unspoilt, "cuda").ended()
    assert sorted(codes) == [1, 2]
    assert re.fullmatch(r"Error: device must be one of this machine, got 'cuda:[01]'.*\n", said)


def test_torchrun_trains_and_ctrl_c_saves(tmp_path):
    """The command of the README: one bar, one message, one line, and it can be gone on with."""
    torchrun = f"{sys.executable} -m torch.distributed.run --nproc-per-node {W}"
    command = f"{torchrun} -m dpm_lib train swiss-roll --device cpu --out run".split()
    home = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=home
    ) as process:
        said = ""
        while "K = " not in said:
            said += process.stderr.read(1)
            assert process.poll() is None, said
        process.send_signal(signal.SIGINT)
        said += process.stderr.read()
    stopped = re.findall(r"stopped after step (\d+), saved in run/last.safetensors", said)
    assert len(stopped) == 1
    assert steps(tmp_path / "run") == [int(stopped[0])]
    kept = checkpoints.read(tmp_path / "run" / runs.LAST)
    assert kept.notes["step"] == int(stopped[0])


def test_alone_nothing_is_joined(monkeypatch):
    """Without torchrun, and of one process, there is no group."""
    for size in (None, "1"):
        with contextlib.ExitStack() as stack:
            if size:
                monkeypatch.setenv("WORLD_SIZE", size)
            assert stack.enter_context(parallel.joined("cuda")) == "cuda"
            assert (parallel.rank(), parallel.world()) == (0, 1)
            assert not torch.distributed.is_initialized()
