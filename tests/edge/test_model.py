"""The model: what goes in, what comes out, and what is refused."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgedigits import model as model_module
from edgedigits.card import Card, split_bytes
from edgedigits.errors import ModelError
from edgedigits.model import Model, shipped_models

LABELS = tuple("0123456789")


def crops(count: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Strokes of a kind: a few random bright walks on black, so that activations are in their usual range."""
    generator = np.random.default_rng(seed)
    pictures = np.zeros((count, 28, 28), np.uint8)
    for picture in pictures:
        walk = np.clip(14 + np.cumsum(generator.integers(-1, 2, (40, 2)), axis=0), 4, 23)
        for y, x in walk:
            picture[y : y + 2, x : x + 2] = generator.integers(128, 256)
    return pictures


def shipped(name: str) -> tuple[Card, bytes]:
    path = Path(model_module.__file__).parent / "models" / f"{name}.tflite"
    return split_bytes(path.read_bytes(), name)


def write(path: Path, body: bytes, card: Card) -> Path:
    card = dataclasses.replace(card, model_size=len(body), model_sha256=hashlib.sha256(body).hexdigest())
    whole = io.BytesIO()
    whole.write(body)
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr("card.json", card.as_json())
    path.write_bytes(whole.getvalue())
    return path


# Shipped models, on the runtime that is installed


def test_models_are_shipped() -> None:
    assert {"paper-int8", "paper-float32"} <= set(shipped_models())


@pytest.mark.parametrize("name", shipped_models())
def test_any_number_of_crops_gives_the_same_as_one_by_one(name: str) -> None:
    model = Model(name)
    pictures = crops(71)
    singly = np.concatenate([model.probabilities(pictures[i : i + 1]) for i in range(len(pictures))])
    for count in [*range(36), 63, 64, 65, 71]:
        together = model.probabilities(pictures[:count])
        assert together.dtype == np.float32
        assert together.shape == (count, len(model.card.labels))
        # float32 sums come in another order in another batch; integers don't
        tolerance = 1e-5 if model.input_dtype == np.float32 else 1e-6
        assert np.abs(together - singly[:count]).max(initial=0) <= tolerance
        assert np.abs(together.sum(axis=1) - 1).max(initial=0) < 1e-5


@pytest.mark.parametrize("name", shipped_models())
def test_probabilities_are_the_softmax_of_the_raw_outputs(name: str) -> None:
    model = Model(name)
    pictures = crops(40)
    scale_in, zero_in = model.input_affine
    levels = pictures.reshape(-1, *model.card.input_shape) * model.card.input_scale
    if scale_in:
        limits = np.iinfo(model.input_dtype)
        levels = np.clip(np.rint(levels / scale_in) + zero_in, limits.min, limits.max)
    raw = model.invoke(levels.astype(model.input_dtype)).astype(np.float64)
    scale_out, zero_out = model.output_affine
    logits = (raw - zero_out) * (scale_out or 1.0) / model.card.temperature
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    assert np.abs(model.probabilities(pictures) - expected).max() < 2e-6


def test_no_interpreter_is_built_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model("paper-int8")
    model.probabilities(crops(63))  # 32 + 32, the second padded by one
    model.probabilities(crops(1))
    monkeypatch.setattr(model._opener, "open", lambda _=None: pytest.fail("built again"))
    for _ in range(3):
        model.probabilities(crops(63))
        model.invoke(np.zeros((1, 784), np.int8))


def test_what_an_earlier_call_left_behind_does_not_show() -> None:
    model = Model("paper-int8")
    first = model.probabilities(crops(7, seed=1))
    model.probabilities(np.full((8, 28, 28), 255, np.uint8))
    assert np.array_equal(model.probabilities(crops(7, seed=1)), first)


def test_crops_need_not_be_contiguous() -> None:
    model = Model("paper-int8")
    pictures = crops(6)
    strided = np.asfortranarray(pictures)
    assert np.array_equal(model.probabilities(strided), model.probabilities(pictures))
    assert np.array_equal(
        model.probabilities(pictures[::2]), model.probabilities(np.ascontiguousarray(pictures[::2]))
    )


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 28, 28), np.float32),
        np.zeros((2, 28, 28), np.int8),
        np.zeros((28, 28), np.uint8),
        np.zeros((2, 28, 27), np.uint8),
        np.zeros((2, 784), np.uint8),
    ],
)
def test_other_crops_are_refused(wrong: np.ndarray[Any, Any]) -> None:
    model = Model("paper-int8")
    model.probabilities(crops(2))
    with pytest.raises(ValueError, match="crops are uint8"):
        model.probabilities(wrong)


@pytest.mark.parametrize("wrong", [np.zeros((1, 784), np.float32), np.zeros((1, 783), np.int8)])
def test_other_raw_tensors_are_refused(wrong: np.ndarray[Any, Any]) -> None:
    model = Model("paper-int8")
    model.invoke(np.zeros((1, 784), np.int8))
    with pytest.raises(ValueError, match="takes int8"):
        model.invoke(wrong)


def test_threads() -> None:
    assert np.array_equal(
        Model("paper-int8", threads=2).probabilities(crops(9)), Model("paper-int8").probabilities(crops(9))
    )
    with pytest.raises(ValueError, match="threads"):
        Model("paper-int8", threads=0)


def test_nothing_is_said_on_the_screen_and_nothing_loaded_before_its_time() -> None:
    """A fresh process: the runtime wakes with the first model, TensorFlow never, and nobody remarks on it."""
    program = (
        "import sys, numpy as np\n"
        "from edgedigits.model import Model\n"
        "assert 'ai_edge_litert' not in sys.modules and 'tflite_runtime' not in sys.modules\n"
        "Model('paper-float32').probabilities(np.zeros((1, 28, 28), np.uint8))\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'tensorflow', 'keras', 'cv2', 'PIL'}, loaded\n"
        "import os; os.write(2, b'still open')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "still open")


def test_a_closed_standard_error_is_no_obstacle() -> None:
    program = "import os; os.close(2)\nfrom edgedigits.model import Model\nprint(Model().card.name)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "paper-int8\n"


# Model files that are not what they should be


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("paper-float32", {"input_dtype": "int8"}, "float where int8 is expected"),
        ("paper-float32", {"output_dtype": "int8"}, "float where int8 is expected"),
        ("paper-int8", {"input_dtype": "float32"}, "int8 where float32 is expected"),
        ("paper-int8", {"output_dtype": "uint8"}, "int8 where uint8 is expected"),
        ("paper-int8", {"input_shape": (28, 28, 1)}, "input is 784 and its card says 28×28×1"),
        ("paper-int8", {"input_shape": (783,)}, "28×28 pixels are expected"),
        ("paper-int8", {"labels": LABELS[:9]}, "10 outputs for the 9 labels"),
        ("paper-int8", {"labels": (*LABELS, "A")}, "10 outputs for the 11 labels"),
    ],
)
def test_a_model_that_is_not_what_its_card_says(
    tmp_path: Path, name: str, changes: dict[str, Any], said: str
) -> None:
    card, body = shipped(name)
    path = write(tmp_path / "m.tflite", body, dataclasses.replace(card, **changes))
    with pytest.raises(ModelError, match=said) as caught:
        Model(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_bytes_that_the_runtime_refuses(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    card, body = shipped("paper-int8")
    path = write(tmp_path / "m.tflite", body[:8] + bytes(1000), card)
    with pytest.raises(ModelError, match="can't load it") as caught:
        Model(path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_names_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"no shipped model of that name \(.*paper-int8"):
        Model("paper-int9")
    with pytest.raises(ModelError, match="no such file"):
        Model("missing.tflite")
    with pytest.raises(ModelError, match="can't read"):
        Model(tmp_path)
    write(tmp_path / "mine", shipped("paper-int8")[1], shipped("paper-int8")[0])
    monkeypatch.chdir(tmp_path)
    assert Model("mine").source == "mine"


# A runtime that is missing or does not fit


def hide(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)


def test_no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "ai_edge_litert.interpreter", "tflite_runtime", "tflite_runtime.interpreter")
    with pytest.raises(ModelError, match="pip install ai-edge-litert"):
        Model("paper-int8")


def use(monkeypatch: pytest.MonkeyPatch, interpreter: Callable[..., Any]) -> None:
    """Install a tflite_runtime, and take LiteRT away."""
    hide(monkeypatch, "ai_edge_litert.interpreter")
    module = types.ModuleType("tflite_runtime.interpreter")
    module.Interpreter = interpreter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tflite_runtime", types.ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", module)


def test_tflite_runtime_beside_a_numpy_it_was_not_built_for(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """tflite-runtime 2.14 with NumPy 2: NumPy writes a page to the standard error, then this is raised."""

    def interpreter(**_: Any) -> Any:
        os.write(2, b"A module that was compiled using NumPy 1.x cannot be run in\n")
        raise SystemError("<built-in method> returned a result with an exception set")

    use(monkeypatch, interpreter)
    with pytest.raises(ModelError, match=r"does not work with NumPy .* pip install 'numpy<2'"):
        Model("paper-int8")
    assert capfd.readouterr().err == ""


# The arithmetic, on a runtime that computes something simple


@dataclasses.dataclass
class Tensor:
    """What the runtime says of its input or output."""

    dtype: str
    affine: tuple[float, int] = (0.0, 0)
    shape: tuple[int, ...] = (1, 784)
    resizable: bool = True


class Pixels:
    """A runtime whose outputs are the codes of the first pixels, so that both ends can be looked at."""

    input = Tensor("int8")
    output = Tensor("int8", shape=(1, 10))

    def __init__(self, **_: Any) -> None:
        self.batch = self.input.shape[0]
        self.tensor = np.zeros(0)

    def get_input_details(self) -> list[dict[str, Any]]:
        shape = (self.batch, *self.input.shape[1:])
        signature = (-1, *shape[1:]) if self.input.resizable else shape
        return [self._details(self.input, shape) | {"shape_signature": np.array(signature)}]

    def get_tensor_details(self) -> list[dict[str, Any]]:
        return []

    def get_output_details(self) -> list[dict[str, Any]]:
        return [self._details(self.output, (self.batch, *self.output.shape[1:]))]

    def _details(self, tensor: Tensor, shape: tuple[int, ...]) -> dict[str, Any]:
        dtype = np.dtype(tensor.dtype).type
        return {"index": 0, "dtype": dtype, "quantization": tensor.affine, "shape": np.array(shape)}

    def resize_tensor_input(self, _: int, shape: list[int]) -> None:
        assert self.input.resizable
        self.batch = shape[0]

    def allocate_tensors(self) -> None: ...

    def set_tensor(self, _: int, value: np.ndarray[Any, Any]) -> None:
        assert value.dtype == self.input.dtype
        assert len(value) == self.batch
        self.tensor = value.copy()

    def invoke(self) -> None: ...

    def get_tensor(self, _: int) -> np.ndarray[Any, Any]:
        shape = (self.batch, *self.output.shape[1:])
        return self.tensor.reshape(self.batch, -1)[:, :10].astype(self.output.dtype).reshape(shape)


Open = Callable[..., Model]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Return a function that opens a model of the simple runtime."""

    def make(takes: Tensor, gives: Tensor, **card: Any) -> Model:
        use(monkeypatch, type("Runtime", (Pixels,), {"input": takes, "output": gives}))
        whole = Card(
            name="x",
            format="x",
            labels=LABELS,
            output=card.pop("output", "logits"),
            input_shape=takes.shape[1:],
            input_dtype=takes.dtype,
            output_dtype=gives.dtype,
            **card,
        )
        return Model(write(tmp_path / "m.tflite", b"\x1c\0\0\0TFL3", whole))

    return make


def every_level() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """26 crops whose first ten pixels go through all grey levels."""
    pictures = np.zeros((26, 784), np.uint8)
    pictures[:, :10] = np.minimum(np.arange(260), 255).reshape(26, 10)
    return pictures.reshape(26, 28, 28)


@pytest.mark.parametrize(
    ("dtype", "affine"),
    [
        ("int8", (1 / 255, -128)),  # the short way
        ("int8", (float(np.float32(1 / 255)), -128)),  # as a file has it
        ("int8", (0.008, -128)),
        ("int8", (0.004, 3)),  # clips at the top
        ("int8", (1 / 510, -128)),  # clips from the middle on
        ("uint8", (1 / 255, 0)),  # nothing to do
        ("uint8", (0.0045, 17)),
        ("int16", (1 / 32767, 0)),
    ],
)
def test_every_grey_level_is_quantized_rounded_and_clipped(
    opened: Open, dtype: str, affine: tuple[float, int]
) -> None:
    model = opened(Tensor(dtype, affine), Tensor(dtype, (1.0, 0), (1, 10)))
    call = model._call(32)
    call.glyphs[:] = 0
    model._quantize(every_level(), call.glyphs[:26])
    limits = np.iinfo(dtype)
    for code, level in zip(
        call.raw[:26, :10].ravel(), every_level().reshape(26, -1)[:, :10].ravel(), strict=True
    ):
        exact = level / 255 / affine[0] + affine[1]
        assert code == min(max(round(exact), limits.min), limits.max), level


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "float32"])
@pytest.mark.parametrize("scale", [0.02, 0.15, 40.0])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("output", ["logits", "probabilities"])
def test_raw_outputs_become_calibrated_probabilities(
    opened: Open, dtype: str, scale: float, temperature: float, output: str
) -> None:
    zero = {"int8": 11, "uint8": 130, "int16": 0, "float32": 0}[dtype]
    affine = (0.0, 0) if dtype == "float32" else (scale, zero)
    model = opened(Tensor("float32"), Tensor(dtype, affine, (1, 10)), output=output, temperature=temperature)
    generator = np.random.default_rng(5)
    low, high = (0, 20) if dtype == "float32" else (np.iinfo("int8").min, np.iinfo("int8").max)
    low, high = (0, 255) if dtype == "uint8" else (low, high)
    for count in (1, 5, 32):
        raw = generator.integers(low, high, (count, 10), endpoint=True).astype(dtype)
        values = raw.astype(np.float64) if dtype == "float32" else scale * (raw.astype(np.float64) - zero)
        if output == "probabilities":
            weights = np.maximum(np.maximum(values, 0) ** (1 / temperature), 1e-30)
        else:
            weights = np.exp((values - values.max(axis=1, keepdims=True)) / temperature)
        expected = weights / weights.sum(axis=1, keepdims=True)
        got = model._calibrate(raw)
        assert got.dtype == np.float32
        assert np.abs(got - expected).max() < 1e-5


@pytest.mark.parametrize("count", [1, 3, 32])
def test_ties_stay_ties_and_the_first_label_wins(opened: Open, count: int) -> None:
    model = opened(Tensor("float32"), Tensor("int8", (0.14, 12), (1, 10)))
    raw = np.random.default_rng(1).integers(-90, 0, (count, 10)).astype(np.int8)
    raw[:, 3] = raw[:, 9] = 40
    probabilities = model._calibrate(raw)
    assert np.array_equal(probabilities[:, 3], probabilities[:, 9])
    assert (probabilities.argmax(axis=1) == 3).all()


def test_a_model_with_a_fixed_batch_is_called_with_that(opened: Open) -> None:
    model = opened(
        Tensor("uint8", (1 / 255, 0), (4, 784), resizable=False), Tensor("uint8", (0.1, 0), (4, 10))
    )
    pictures = every_level()[:11]
    raw = model.invoke(pictures.reshape(11, 784))
    assert np.array_equal(raw, pictures.reshape(11, 784)[:, :10])
    assert model.probabilities(pictures).shape == (11, 10)


def test_an_output_of_more_dimensions_is_flattened(opened: Open) -> None:
    model = opened(Tensor("uint8", (1 / 255, 0)), Tensor("uint8", (0.1, 0), (1, 1, 1, 10)))
    assert model.invoke(np.zeros((5, 784), np.uint8)).shape == (5, 10)


def test_integers_without_a_scale_are_refused(opened: Open) -> None:
    with pytest.raises(ModelError, match="int8 without a scale"):
        opened(Tensor("int8", (0.0, 0)), Tensor("int8", (0.1, 0), (1, 10)))


@pytest.mark.parametrize("left", range(1, 80))
def test_calls_waste_little(left: int) -> None:
    """No call computes more than a seventh beyond what is asked of it, and few calls do it all."""
    calls = 0
    while left > 0:
        size = model_module._next_size(left, model_module._BATCHES)
        assert 7 * size <= 8 * min(left, size)
        left -= size
        calls += 1
    assert calls <= 5
