r"""Pictures that are fetched once: from a mirror into a cache, or from a folder of one's own.

The environment variable ``DPM_DATA`` names a folder with the files as they are published; then
nothing is fetched.  Whatever way a file came, its unpacked content must be the one that is meant.
"""

import gzip
import hashlib
import io
import os
import tarfile
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

__all__ = ["FOLDER", "cifar10_levels", "mnist_levels"]

FOLDER = "DPM_DATA"
"""Environment variable: a folder with the files, where nothing shall be fetched."""

MNIST = ("train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz")
CIFAR10 = "cifar-10-binary.tar.gz"

MIRRORS = {
    **dict.fromkeys(MNIST, (
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    )),
    CIFAR10: ("https://www.cs.toronto.edu/~kriz/",),
}  # fmt: skip
"""Where a file is published."""

CONTENT = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
"""SHA-256 of what is in the files, however they are packed."""


def mnist_levels() -> tuple[Tensor, Tensor]:
    """Grey levels 0 … 255 of MNIST, uint8: 60 000 to train on, 10 000 to test, ``(N, 1, 28, 28)``.

    Raises:
        ImportError: nothing is at hand, and pooch, which fetches it, is missing.
        OSError: it can neither be found nor fetched.
        ValueError: a file is not what is published.
    """
    train, test = (_bytes(content)[16:] for file in MNIST for content in _contents(file).values())
    return train.view(-1, 1, 28, 28), test.view(-1, 1, 28, 28)


def cifar10_levels() -> tuple[Tensor, Tensor]:
    """Levels 0 … 255 of CIFAR-10, uint8: 50 000 to train on, 10 000 to test, ``(N, 3, 32, 32)``.

    Raises:
        ImportError: nothing is at hand, and pooch, which fetches it, is missing.
        OSError: it can neither be found nor fetched.
        ValueError: a file is not what is published.
    """
    parts = _contents(CIFAR10)
    rows = {name: _bytes(content).view(-1, 3073)[:, 1:] for name, content in parts.items()}
    test = rows.pop("test_batch.bin")
    train = torch.cat([rows[name] for name in sorted(rows)])
    return train.reshape(-1, 3, 32, 32), test.reshape(-1, 3, 32, 32)


def _bytes(content: bytes) -> Tensor:
    return torch.from_numpy(np.frombuffer(content, np.uint8).copy())


def _contents(file: str) -> dict[str, bytes]:
    """What is in a file by name, each of the content that is meant."""
    path = _found(file)
    try:
        found = _unpacked(path)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise ValueError(f"{path} must be whole, it cannot be unpacked: {error}") from None
    wanted = [n for n in CONTENT if n.endswith(".bin")] if file == CIFAR10 else [path.stem]
    if lost := [name for name in wanted if name not in found]:
        raise ValueError(
            f"{path} must be as it was published, it lacks {lost[0]}: delete it to fetch it anew"
        )
    for name, content in found.items():
        if hashlib.sha256(content).hexdigest() != CONTENT[name]:
            raise ValueError(
                f"{path} must be as it was published, the SHA-256 of its {name} is another: "
                "delete it to fetch it anew"
            )
    return found


def _unpacked(path: Path) -> dict[str, bytes]:
    content = gzip.decompress(path.read_bytes())
    if not path.name.endswith(".tar.gz"):
        return {path.stem: content}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = {Path(member.name).name: member for member in archive}
        files = {name: archive.extractfile(members[name]) for name in members if name in CONTENT}
        return {name: file.read() for name, file in files.items() if file}


def _found(file: str) -> Path:
    """Path of a file: in the folder that is named, or in the cache, fetched if it is not there."""
    if folder := os.environ.get(FOLDER):
        path = Path(folder) / file
        if not path.is_file():
            raise FileNotFoundError(f"{FOLDER} must name a folder with {file}, got {folder!r}")
        return path
    try:
        import pooch
    except ImportError as error:
        raise ImportError(f"{file} is fetched by pooch: pip install pooch") from error
    cache, tried = pooch.os_cache("dpm_lib"), []
    for mirror in MIRRORS[file]:
        try:
            return Path(pooch.retrieve(mirror + file, None, file, cache, progressbar=True))
        except OSError as error:
            tried.append(f"{mirror}: {type(error).__name__}")
    raise ConnectionError(
        f"{file} could not be fetched ({'; '.join(tried)}): set {FOLDER} to a folder that holds it"
    )
