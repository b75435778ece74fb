"""The TFLite runtimes, and the model files they open.

The runtime is LiteRT (`ai_edge_litert`), or `tflite_runtime` where that is what is installed; it is
imported when the first model is opened, never before.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgedigits.card import WAYS, Way
from edgedigits.errors import ModelError
from edgedigits.quiet import quiet

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

DELEGATES = {"edgetpu": "libedgetpu.so.1"}
"""Names of delegates, and the shared libraries that they stand for."""

_MOST_VALUES = 2**26
"""Values that a tensor may hold; networks for digits have thousands of them, damaged files claim billions."""

_EDGE_TPU_OPERATION = b"edgetpu-custom-op"


class Opener:
    """Opens interpreters of one model: on a delegate, if one is asked for and works, else on the CPU.

    `data` are the bytes of the model's file, `source` what messages call it; `threads` is the number of CPU
    threads a call may use, `delegate` a name of `DELEGATES` or the path of a shared library.
    """

    delegate: str
    """The delegate that was asked for, as long as it works; empty where the CPU does everything."""
    delegate_failure: str
    """Why the delegate that was asked for is not at work; empty where none was asked for, or it is."""

    def __init__(
        self, data: bytes, source: str, threads: int, delegate: str | os.PathLike[str] | None
    ) -> None:
        if threads < 1:
            raise ValueError("threads must be at least 1")
        self._data, self._source, self._threads = data, source, threads
        self._runtime = _runtime()
        self.runtime = self._runtime.__module__.partition(".")[0]
        """The package that does the work: `ai_edge_litert` or `tflite_runtime`."""
        self.delegate = os.fspath(delegate) if delegate is not None else ""
        self.delegate_failure = ""

    def open(self, shape: Sequence[int] | None = None) -> Any:
        """Return an interpreter with its tensors allocated, its input resized to `shape` where one is given.

        Raises `ModelError` where the runtime can't load the model.
        """
        if self.delegate:
            try:
                return self._allocated(shape, self.delegate)
            except (OSError, RuntimeError, ValueError) as error:
                reason = " ".join(str(error).split())[:200]
                self.delegate_failure = (
                    f"the delegate {self.delegate} can't be used ({reason}); the CPU does the work instead; "
                    "firmware_notes/coral.md says what it needs"
                )
                self.delegate = ""
        try:
            return self._allocated(shape, "")
        except (SystemError, AttributeError, ImportError) as error:
            raise _misfit(error) from error
        except (RuntimeError, ValueError) as error:
            raise self.unloadable(error) from error

    def unloadable(self, error: Exception) -> ModelError:
        """Say why the runtime can't load the model, or run it once it is loaded."""
        if _EDGE_TPU_OPERATION in self._data:
            why = self.delegate_failure.partition(";")[0] or "no delegate was asked for"
            return ModelError(
                f"{self._source}: compiled for the Edge TPU, and the CPU can't run it; {why}; "
                "give --delegate edgetpu, or take the model that it was compiled from"
            )
        reason = " ".join(str(error).split())[:200]
        return ModelError(
            f"{self._source}: the runtime can't load it ({reason}); "
            "export it again, or install a newer ai-edge-litert"
        )

    def _allocated(self, shape: Sequence[int] | None, delegate: str) -> Any:
        settings: dict[str, Any] = {"model_content": self._data, "num_threads": self._threads}
        with quiet(b"INFO:"):  # "Created TensorFlow Lite XNNPACK delegate for CPU."
            if delegate:
                settings["experimental_delegates"] = [_load_delegate(self._runtime, delegate)]
            interpreter = self._runtime(**settings)
            if shape is None:
                self._check_sizes(interpreter)
            else:
                index = interpreter.get_input_details()[0]["index"]
                interpreter.resize_tensor_input(index, list(shape))
            interpreter.allocate_tensors()
        return interpreter

    def _check_sizes(self, interpreter: Any) -> None:
        """Refuse tensors that there is no memory for: the runtime would fill it all before it says so.

        Inputs and outputs are looked at besides: only for them a name that is no text raises `ValueError`.
        """
        parts = (
            *interpreter.get_tensor_details(),
            *interpreter.get_input_details(),
            *interpreter.get_output_details(),
        )
        for details in parts:
            values = math.prod(int(size) for size in details["shape"])
            if not 0 <= values <= _MOST_VALUES:
                raise ModelError(
                    f"{self._source}: a tensor of {values:,} values is in it, and the most that is taken are "
                    f"{_MOST_VALUES:,}; the file is damaged or for another task, copy it again"
                )

    def uses_xnnpack(self, interpreter: Any) -> bool:
        """Return whether XNNPACK's kernels do the work; the runtime's plain ones may differ by a step."""
        if self.delegate:
            return False
        # There is no public way to ask. XNNPACK is the only delegate the runtimes apply by themselves; a
        # runtime without this private method counts as plain.
        operations: list[dict[str, Any]] = getattr(interpreter, "_get_ops_details", list)()
        return any(operation.get("op_name") == "DELEGATE" for operation in operations)


def shipped_models(way: Way = "glyph") -> tuple[str, ...]:
    """Return the names of the models for a way of reading that came with the package, sorted."""
    folder = _folder(way)
    if not folder.is_dir():
        return ()
    return tuple(sorted(f.name[: -len(".tflite")] for f in folder.iterdir() if f.name.endswith(".tflite")))


_FOLDERS: Mapping[Way, str] = {"glyph": "", "strip": "strips", "character": "characters"}
"""Where the models for each way lie, below the package's `models`."""


def _folder(way: Way) -> Traversable:
    models = resources.files("edgedigits") / "models"
    return models / _FOLDERS[way] if _FOLDERS[way] else models


def read_model(name_or_path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a shipped model's file or of another; a bare name is a shipped model's.

    Raises `ModelError` where there is no such model or it can't be read.
    """
    name = os.fspath(name_or_path)
    if Path(name).name == name and not name.endswith(".tflite"):
        names: list[str] = []
        for way in WAYS:
            if name in shipped_models(way):
                return (_folder(way) / f"{name}.tflite").read_bytes()
            names += shipped_models(way)
        if not Path(name).exists():
            raise ModelError(
                f"{name}: no shipped model of that name ({', '.join(names) or 'none is shipped'}); "
                "name one of them or a .tflite file"
            )
    try:
        return Path(name).read_bytes()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error))
        raise ModelError(
            f"{name}: can't read the model ({reason}); name a .tflite file or a shipped model"
        ) from error


def _runtime() -> Callable[..., Any]:
    """Return the class `Interpreter` of the runtime that is installed."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ModuleNotFoundError as error:
            raise ModelError(
                "no TFLite runtime is installed; pip install ai-edge-litert "
                "(on 32-bit Pi OS: tflite-runtime, see firmware_notes/raspberry-pi.md)"
            ) from error
        except (ImportError, AttributeError, SystemError) as error:
            raise _misfit(error) from error
    runtime: Callable[..., Any] = Interpreter
    return runtime


def _load_delegate(runtime: Callable[..., Any], name: str) -> Any:
    """Load a delegate by its name or path; raises `OSError` or `ValueError` where that fails."""
    file = DELEGATES.get(name, name)
    # The runtime's own loader leaves a broken object behind when it fails at this, which then complains.
    library = ctypes.CDLL(file)
    for symbol in ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate"):
        if not hasattr(library, symbol):
            raise OSError(f"{file} is no TFLite delegate: it has no {symbol}")
    return sys.modules[runtime.__module__].load_delegate(file)


def _misfit(error: BaseException) -> ModelError:
    """Say what it means when a runtime's compiled part does not get on with NumPy."""
    return ModelError(
        f"the TFLite runtime does not work with NumPy {np.__version__} ({type(error).__name__}); install "
        "ai-edge-litert, or beside tflite-runtime, which was built for NumPy 1: pip install 'numpy<2'"
    )
