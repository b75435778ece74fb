"""Several devices, several hosts: the same weights as one, and a clear end where one is lost."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from tests.train import two_devices

from edgedigits_train import devices, networks
from edgedigits_train.data import load_mnist
from edgedigits_train.order import epoch_order

RECIPE = """\
[data]
set = "mnist"
[network]
kind = "mlp"
hidden = [32]
[training]
epochs = {epochs}
batch = 50
watch = ["test"]
[optimizer]
kind = "{optimizer}"
rate = {rate}
"""
# 1,297 pictures: the last batch has 47, an odd number for two.

ONE_DEVICE = """
import sys
from pathlib import Path
import tensorflow as tf
from edgedigits_train.data import load_mnist
from edgedigits_train.recipe import load_recipe
from edgedigits_train.run import run

class Silent:
    def start(self, what, out): pass
    def epoch(self, row): pass

recipe, data, out, count = sys.argv[1:]
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * int(count))
names = [f"CPU:{n}" for n in range(int(count))]
strategy = tf.distribute.MirroredStrategy(names) if len(names) > 1 else None
if strategy: assert strategy.num_replicas_in_sync == len(names)
run(load_recipe(recipe), load_mnist(Path(data)), Path(out), 3, Silent(), strategy)
"""
COMMAND = "import sys; from edgedigits_train.cli import main; sys.exit(main())"


def write_recipe(folder: Path, epochs: int = 3, optimizer: str = "adam", rate: float = 0.002) -> Path:
    path = folder / f"{optimizer}.toml"
    path.write_text(RECIPE.format(epochs=epochs, optimizer=optimizer, rate=rate))
    return path


def weights(run: Path) -> list[npt.NDArray[np.float32]]:
    reader = tf.train.load_checkpoint(str(run / "model" / "variables" / "variables"))
    names = [name for name in sorted(reader.get_variable_to_shape_map()) if name.startswith("network/")]
    assert len(names) == 4
    return [reader.get_tensor(name) for name in names]


def assert_same(run: Path, other: Path) -> None:
    for a, b in zip(weights(run), weights(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    reports = [json.loads((folder / "report.json").read_text()) for folder in (run, other)]
    assert reports[0]["test"]["accuracy"] == pytest.approx(reports[1]["test"]["accuracy"], abs=0.003)


def on_devices(recipe: Path, data: Path, out: Path, count: int) -> None:
    arguments = [sys.executable, "-c", ONE_DEVICE, str(recipe), str(data), str(out), str(count)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


THREADS = """
import sys
import numpy as np
import tensorflow as tf
from pathlib import Path
from edgedigits_train import devices, networks
from edgedigits_train.data import load_mnist
from edgedigits_train.loop import Loop, Part, train
from edgedigits_train.recipe import load_recipe

given, name, data, out = sys.argv[1:]
threading = tf.config.threading
if given != "-":
    threading.set_intra_op_parallelism_threads(int(given))
recipe = load_recipe(name).with_epochs(1)
devices.settle_threads(recipe, 784, 10)
print(threading.get_intra_op_parallelism_threads())
if name == "sigmoid-30e":
    digits = load_mnist(Path(data))
    part = Part(digits.train_images.reshape(-1, 784), digits.train_labels.astype(np.int32))
    loop = Loop(networks.build(recipe.network, 784, 10, 0), recipe, classes=10)
    train(loop, part, {}, 0)
    np.savez(out, **loop.state())
    devices.settle_threads(load_recipe("paper"), 784, 10)  # too late, and no error
"""


@pytest.mark.slow
def test_small_steps_are_left_to_one_thread(small_mnist: Path, tmp_path: Path) -> None:
    """Unless another number is set; and the weights are those of several threads, bit for bit."""
    states = []
    for given, name, threads in (("-", "sigmoid-30e", 1), ("2", "sigmoid-30e", 2), ("-", "paper", 0)):
        out = tmp_path / f"{name}{given}.npz"
        arguments = [sys.executable, "-c", THREADS, given, name, str(small_mnist), str(out)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        assert int(done.stdout) == threads
        if out.exists():
            states.append(dict(np.load(out)))
    one, two = states
    assert len(one) == 6
    for key, values in one.items():
        assert np.array_equal(values, two[key]), key


class Worker:
    """One of several processes that train together."""

    def __init__(self, recipe: Path, data: Path, out: Path, ports: list[int], index: int) -> None:
        cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
        config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        self.log = out.parent / f"{out.name}-worker{index}.log"
        arguments = [str(recipe), "--data", str(data), "--out", str(out), "--seed", "3"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", COMMAND, *arguments],
                env=os.environ | {"TF_CONFIG": config},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self, seconds: float) -> str:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            pytest.fail(f"still running after {seconds} s: {self.log.read_text()[-2000:]}")
        return self.log.read_text()


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="module")
def alone(small_mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    on_devices(write_recipe(folder), small_mnist, folder / "run", 1)
    return folder / "run"


@pytest.mark.slow
def test_two_devices_of_one_host(alone: Path, small_mnist: Path, tmp_path: Path) -> None:
    on_devices(write_recipe(tmp_path), small_mnist, tmp_path / "run", 2)
    assert_same(tmp_path / "run", alone)


@pytest.mark.slow
def test_batch_normalization_on_two_devices(small_mnist: Path, tmp_path: Path) -> None:
    """Each normalizes by its own share; the running figures are the means of both, and the same on both."""
    arguments = [sys.executable, two_devices.__file__, str(small_mnist), str(tmp_path)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    step, whole, resumed = (dict(np.load(tmp_path / f"{name}.npz")) for name in ("step", "whole", "resumed"))
    images = load_mnist(small_mnist).train_images[: two_devices.BATCH]
    order = epoch_order(len(images), two_devices.recipe().training.shuffle, 0, 1)
    pixels = images[order][..., None].astype(np.float32) / 255
    kept = networks.Convolution.KEPT
    shares = [np.asarray(tf.nn.conv2d(pixels[k::2], step["first"][0], 2, "SAME")) for k in (0, 1)]
    means = [share.mean(axis=(0, 1, 2)) for share in shares]
    variances = [share.var(axis=(0, 1, 2), ddof=1) for share in shares]
    assert not np.allclose(means[0], means[1], rtol=1e-3)
    for found in step["mean"]:
        np.testing.assert_allclose(found, (1 - kept) * np.mean(means, axis=0), rtol=1e-4)
    for found in step["variance"]:
        np.testing.assert_allclose(found, kept + (1 - kept) * np.mean(variances, axis=0), rtol=1e-4)
    layers = len(two_devices.recipe().network.filters)
    assert sum(name.startswith("network") for name in whole) == 5 * layers + 2
    for name, copies in whole.items():
        assert np.isfinite(copies).all(), name
        assert np.array_equal(copies[0], copies[-1]), name
        assert np.array_equal(copies, resumed[name]), name
    rows = (tmp_path / "history.csv").read_text().splitlines()
    last = dict(zip(rows[0].split(","), rows[-1].split(","), strict=True))
    assert last["epoch"] == str(two_devices.EPOCHS)
    assert float(last["test_accuracy"]) > 0.8


@pytest.mark.slow
def test_two_hosts(alone: Path, small_mnist: Path, tmp_path: Path) -> None:
    ports, recipe = free_ports(2), write_recipe(tmp_path)
    workers = [Worker(recipe, small_mnist, tmp_path / "run", ports, index) for index in (0, 1)]
    for worker in workers:
        log = worker.wait(120)
        assert worker.process.returncode == 0, log[-3000:]
        assert "UNAVAILABLE" not in log
    assert_same(tmp_path / "run", alone)


@pytest.mark.slow
def test_a_host_that_is_lost(small_mnist: Path, tmp_path: Path) -> None:
    """The others end, and say so; all started again, the run goes on from the last checkpoint."""
    out, recipe = tmp_path / "run", write_recipe(tmp_path, epochs=30, optimizer="sgd", rate=0.1)
    ports = free_ports(2)
    workers = [Worker(recipe, small_mnist, out, ports, index) for index in (0, 1)]
    deadline = time.monotonic() + 120
    while not (out / "checkpoint.npz").exists():
        assert time.monotonic() < deadline
        assert all(worker.process.poll() is None for worker in workers), workers[0].log.read_text()
        time.sleep(0.05)
    workers[1].process.kill()
    log = workers[0].wait(120)
    assert workers[0].process.returncode == 1, log[-3000:]
    assert "edgedigits-train: a worker was lost" in log
    assert "Traceback" not in log
    ports = free_ports(2)
    workers = [Worker(recipe, small_mnist, out, ports, index) for index in (0, 1)]
    log = workers[0].wait(120)
    workers[1].wait(120)
    assert [worker.process.returncode for worker in workers] == [0, 0], log[-3000:]
    assert "epoch 1/30" not in log
    assert "epoch 30/30" in log


@pytest.mark.parametrize(
    "config",
    [
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1", "b:1"]}}',
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_a_tf_config_that_makes_no_sense(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(devices.DeviceError, match=r"^TF_CONFIG: not understood") as caught:
        devices.choose.__wrapped__()
    assert "\n" not in str(caught.value)


def test_one_worker_needs_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "TF_CONFIG", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}'
    )
    assert devices.choose.__wrapped__().num_replicas_in_sync == 1
