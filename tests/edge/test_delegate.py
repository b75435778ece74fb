"""An accelerator's delegate: used where it works; where it fails the CPU reads, and one line says so."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest
from tests.edge.test_model import crops, shipped, write

from edgedigits import Reader, golden, model
from edgedigits.errors import ModelError
from edgedigits.model import Model

SOURCE = Path(__file__).parent / "delegate.c"
Maker = Callable[[str], Path]


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    """Return a function that compiles the stand-in, with one of its failures or with none ("")."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("not installed: a C compiler (cc); run tests/system/setup.sh")

    def compile_it(failure: str) -> Path:
        library = tmp_path / f"libstandin{failure.lower()}.so"
        flags = [f"-D{failure}"] if failure else []
        subprocess.run([compiler, "-shared", "-fPIC", "-w", *flags, SOURCE, "-o", library], check=True)
        return library

    return compile_it


FAILURES = {
    "FAIL_LOAD": "undefined symbol",
    "NO_SYMBOL": "it has no tflite_plugin_create_delegate",
    "FAIL_CREATE": "no device is attached",
    "FAIL_PREPARE": "can't be used (",
}


@pytest.mark.parametrize("failure", FAILURES)
def test_where_it_fails_the_cpu_does_the_work(
    make: Maker, failure: str, capfd: pytest.CaptureFixture[str]
) -> None:
    library = make(failure)
    classifier = Model("paper-int8", delegate=library)
    assert classifier.delegate == ""
    assert str(library) in classifier.delegate_failure
    assert FAILURES[failure] in classifier.delegate_failure
    assert "the CPU does the work" in classifier.delegate_failure
    assert "\n" not in classifier.delegate_failure
    assert np.array_equal(classifier.probabilities(crops(5)), Model("paper-int8").probabilities(crops(5)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("failure", FAILURES)
def test_the_command_says_one_line_and_reads(make: Maker, failure: str) -> None:
    library = make(failure)
    sample = Path(model.__file__).parent / "samples" / "1-black-pen.jpg"
    command = [sys.executable, "-m", "edgedigits.cli", "read", str(sample)]
    plain, done = (
        subprocess.run([*command, *more], capture_output=True, text=True, check=False, timeout=120)
        for more in ([], ["--delegate", str(library)])
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == plain.stdout
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("edgedigits: the delegate ")


def test_where_it_works_it_is_used(make: Maker) -> None:
    library = make("")
    classifier = Model("paper-int8", delegate=library)
    assert classifier.delegate == str(library)
    assert classifier.delegate_failure == ""
    assert np.array_equal(classifier.probabilities(crops(40)), Model("paper-int8").probabilities(crops(40)))
    assert golden.check(classifier).passed
    assert Reader(delegate=library).model.delegate == str(library)


SAID = re.compile(
    r"the delegate \S+ can't be used \(.*no device is attached\); the CPU does the work instead"
)


def perform(*arguments: object) -> tuple[int, str, list[str]]:
    """Run a command; return its status, what it printed, and the lines on standard error about a delegate."""
    command = [sys.executable, "-m", "edgedigits.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, [line for line in done.stderr.splitlines() if "delegate" in line]


@pytest.mark.parametrize(
    ("mode", "by"), [("--readings", "option"), ("--readings", "setting"), ("--events", "file")]
)
def test_live_reads_on_without_it(make: Maker, tmp_path: Path, mode: str, by: str) -> None:
    library = make("FAIL_CREATE")
    file = tmp_path / "device.toml"
    file.write_text(f'delegate = "{library}"\n')
    given = {
        "option": ["--delegate", library],
        "setting": ["--set", f"delegate={library}"],
        "file": ["--config", file],
    }[by]
    status, printed, said = perform("live", "demo:", mode, "--frames", 5, "--format", "jsonl", *given)
    assert status == 0
    assert len(said) == 1
    assert SAID.search(said[0])
    if mode == "--readings":
        assert len(printed.splitlines()) == 5


def test_the_option_goes_before_the_file(make: Maker, tmp_path: Path) -> None:
    file = tmp_path / "device.toml"
    file.write_text('delegate = "libnowhere-to-be-found.so.1"\n')
    frames = ["live", "demo:", "--readings", "--frames", "2", "--config", file]
    status, _, said = perform(*frames)
    assert status == 0
    assert "libnowhere-to-be-found.so.1" in said[0]
    assert perform(*frames, "--delegate", make("")) == (0, ANY, [])
    assert perform(*frames, "--delegate", "") == (0, ANY, [])


@pytest.mark.parametrize("failure", ["FAIL_CREATE", ""])
def test_serve_reads_a_picture_with_it_or_without(make: Maker, failure: str) -> None:
    pytest.importorskip("starlette", reason="the extra 'web' is not installed")
    pytest.importorskip("uvicorn", reason="the extra 'web' is not installed")
    library = make(failure)
    sample = Path(model.__file__).parent / "samples" / "1-black-pen.jpg"
    command = [sys.executable, "-m", "edgedigits.cli", "serve", "demo:", "--port", "0", "--delegate", library]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[1]
            assert address.startswith("http://127.0.0.1:")
            headers = {"Content-Type": "image/jpeg"}
            request = urllib.request.Request(f"{address}api/read", sample.read_bytes(), headers)
            with urllib.request.urlopen(request, timeout=60) as answer:
                read = json.load(answer)
        finally:
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
    assert "455529" in json.dumps(read)
    said = [line for line in errors.splitlines() if "delegate" in line]
    assert len(said) == (1 if failure else 0), errors
    assert all(SAID.search(line) for line in said)


def test_doctor_and_bench_take_it(make: Maker) -> None:
    good, failing = make(""), make("FAIL_CREATE")
    status, printed, _ = perform("doctor", "--json", "--delegate", good)
    findings = {finding["part"]: finding for finding in json.loads(printed)["findings"]}
    assert findings["runtime"]["what"].endswith(str(good))
    assert findings["self-test"]["grade"] == "good"
    assert "delegate" not in findings
    status, printed, _ = perform("doctor", "--json", "--delegate", failing)
    assert status == 1
    findings = {finding["part"]: finding for finding in json.loads(printed)["findings"]}
    assert findings["delegate"]["grade"] == "bad"
    assert "no device is attached" in findings["delegate"]["what"]
    assert "coral.md" in findings["delegate"]["remedy"]
    assert findings["self-test"]["grade"] == "good"
    for library, count in ((good, 0), (failing, 1)):
        status, printed, said = perform("bench", "--frames", "2", "--json", "--delegate", library)
        assert (status, len(said)) == (0, count)
        assert json.loads(printed)["model"].endswith(str(library)) == (library == good)


def test_the_command_that_prints_settings_knows_it() -> None:
    _, printed, _ = perform("live", "--print-config")
    assert '\ndelegate = ""\n' in printed


def test_the_name_edgetpu_is_its_library(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    assert model.DELEGATES["edgetpu"] == "libedgetpu.so.1"
    monkeypatch.setitem(model.DELEGATES, "edgetpu", "libnowhere-to-be-found.so.1")
    failed = Model("paper-int8", delegate="edgetpu").delegate_failure
    assert "the delegate edgetpu can't be used" in failed
    assert "libnowhere-to-be-found.so.1" in failed
    monkeypatch.setitem(model.DELEGATES, "edgetpu", str(make("")))
    assert Model("paper-int8", delegate="edgetpu").delegate == "edgetpu"


def test_a_compiled_model_without_its_accelerator_is_refused_with_the_reason(
    make: Maker, tmp_path: Path
) -> None:
    """The name of an operation that the runtime has not is what compiling leaves in a model."""
    card, body = shipped("paper-int8")
    compiled = write(tmp_path / "compiled.tflite", unknown_operation(body), card)
    with pytest.raises(ModelError, match=r"compiled for the Edge TPU.*no delegate was asked for"):
        Model(compiled)
    with pytest.raises(ModelError, match=r"compiled for the Edge TPU.*no device is attached"):
        Model(compiled, delegate=make("FAIL_CREATE"))


def unknown_operation(body: bytes) -> bytes:
    """Return a model whose operation is `edgetpu-custom-op` and nothing else."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    whole = schema.ModelT.InitFromPackedBuf(body, 0)
    code = whole.operatorCodes[0]
    code.builtinCode = schema.BuiltinOperator.CUSTOM
    code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"edgetpu-custom-op"
    for operation in whole.subgraphs[0].operators:
        if operation.opcodeIndex == 0:
            operation.builtinOptions = None
            operation.builtinOptionsType = 0
    builder = flatbuffers.Builder(len(body))
    builder.Finish(whole.Pack(builder), b"TFL3")
    return bytes(builder.Output())
