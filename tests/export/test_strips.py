"""Networks for strips: converted, checked on a board, validated, and bad input refused."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from tests.export.strips_making import LABELS, write_strip_run, write_strips

from edgedigits import golden
from edgedigits.card import BLANK, split_model
from edgedigits.cli import main as edge
from edgedigits.errors import ModelError
from edgedigits.model import Model
from edgedigits.strip_model import StripModel
from edgedigits.strips import HEIGHT, WINDOW, stretch
from edgedigits_export.cli import main
from edgedigits_export.convert import export_run
from edgedigits_export.corruptions import SEVERITIES, STRIP_CORRUPTIONS, Corruption, corrupt_strip
from edgedigits_export.edgetpu import check_edgetpu
from edgedigits_export.errors import ConversionError, DataError, RunError
from edgedigits_export.firmware import write_firmware
from edgedigits_export.formats import FORMATS, find_formats
from edgedigits_export.gates import StripGates
from edgedigits_export.html import strip_html
from edgedigits_export.likelihood import fit_temperature, negative_log_likelihoods
from edgedigits_export.pack import pack
from edgedigits_export.run import read_run
from edgedigits_export.strip_convert import MEASURED, draw_strips, export_strip_run
from edgedigits_export.strip_data import read_composed, read_lines
from edgedigits_export.strip_tables import strip_table
from edgedigits_export.validate_strips import most_accepted, read_strip, validate_strips


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_strip_run(tmp_path_factory.mktemp("runs") / "bars")


@pytest.fixture(scope="module")
def strips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_strips(tmp_path_factory.mktemp("strips") / "strips.npz")


@pytest.fixture(scope="module")
def exported(run: Path, strips: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The network in every format there is."""
    out = tmp_path_factory.mktemp("exported")
    made = export_strip_run(read_run(run), out, find_formats(["all"]), read_composed(strips))
    return {one.format.name: one.path for one in made}


def clear_strip(labels: tuple[int, ...]) -> np.ndarray:
    """What the network reads as these labels."""
    strip = np.zeros((HEIGHT, 60), np.uint8)
    for place, label in enumerate(labels):
        strip[2 * label : 2 * label + 2, 4 + 8 * place : 8 + 8 * place] = 255
    return strip


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_strips(exported: dict[str, Path], name: str) -> None:
    model, row = StripModel(exported[name]), FORMATS[name]
    card = model.card
    assert (card.way, card.labels, card.output) == ("strip", (*LABELS, BLANK), "logits")
    assert (card.name, card.format, card.input_shape) == (f"bars-{name}", name, (HEIGHT, WINDOW, 1))
    assert (model.input_dtype.name, model.output_dtype.name) == (row.input_dtype, row.output_dtype)
    assert bool(card.representative) == row.representative
    clear = clear_strip((4, 2, 10, 2))
    assert read_strip(model, clear, digits_only=False).text == "42.2"
    assert card.accuracy[MEASURED] > 0.8
    assert golden.check(model).passed


def test_texts_that_differ_in_separators_are_one_where_digits_are_all_that_counts(
    exported: dict[str, Path],
) -> None:
    model, strip = StripModel(exported["int8"]), clear_strip((4, 2, 10, 2))
    strip[20:22] //= 2  # the point is faint
    whole, digits = (read_strip(model, strip, digits_only=only) for only in (False, True))
    assert whole.text in ("42.2", "422")
    assert whole.confidence < 0.95
    assert digits.text == "422"
    assert 0.95 < digits.confidence <= 1


def test_the_card_pins_what_it_was_calibrated_with(exported: dict[str, Path], strips: Path) -> None:
    composed = read_composed(strips)
    sample, rest = draw_strips(composed, seed=0)
    origin = StripModel(exported["int8"]).card.representative
    assert origin == sample.origin
    assert origin["md5"] == composed.md5
    assert len(rest) == len(composed) - origin["count"]
    assert draw_strips(composed, seed=1)[0].origin["indices_sha256"] != origin["indices_sha256"]


def test_the_same_run_and_strips_give_the_same_bytes(
    run: Path, strips: Path, exported: dict[str, Path], tmp_path: Path
) -> None:
    assert (
        main(["convert", str(run), "--strips", str(strips), "--formats", "int8", "--out", str(tmp_path)]) == 0
    )
    assert (tmp_path / "bars-int8.tflite").read_bytes() == exported["int8"].read_bytes()


def test_the_integer_network_fits_an_edge_tpu(exported: dict[str, Path]) -> None:
    readiness = check_edgetpu(str(exported["int8"]))
    assert readiness.ready, readiness
    assert not check_edgetpu(str(exported["float32"])).ready


def test_a_board_checks_itself(exported: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    edge(["doctor", "--model", str(exported["int8"])])
    assert "bars-int8: all 3 golden outputs are exact" in capsys.readouterr().out


def test_a_network_that_computes_otherwise_is_told(exported: dict[str, Path]) -> None:
    model = StripModel(exported["int8"])
    expected = golden.read_golden(exported["int8"].read_bytes(), "bars")
    outputs = expected.xnnpack.copy()
    outputs[0, 5] = np.roll(outputs[0, 5], 1)
    result = golden.compare(model, expected, outputs)
    assert not result.passed
    assert result.labels >= 1


def test_another_networks_golden_file_is_refused(exported: dict[str, Path], tmp_path: Path) -> None:
    card, body = split_model(exported["int8"])
    path = tmp_path / "none.tflite"
    path.write_bytes(pack(body, card))
    with pytest.raises(ModelError, match="no golden file"):
        golden.check(StripModel(path))


def test_likelihoods_are_those_of_all_ways_of_saying_a_text() -> None:
    """Against the sum over every path, spelt out."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (4, 4, 3))
    labels = np.array([[0, 1], [1, 1], [0, -1], [-1, -1]])
    found = negative_log_likelihoods(logits, labels, 1.5)
    for row, text, value in zip(logits, labels, found, strict=True):
        p = np.exp(row / 1.5) / np.exp(row / 1.5).sum(axis=1, keepdims=True)
        total = 0.0
        for path in np.ndindex(3, 3, 3, 3):
            said = [k for i, k in enumerate(path) if k != 2 and (i == 0 or path[i - 1] != k)]
            if said == [k for k in text if k >= 0]:
                total += float(np.prod(p[range(4), path]))
        assert value == pytest.approx(-np.log(total))
    too_long = negative_log_likelihoods(logits, np.array([[1, 1, 1]] * 4))
    assert np.isinf(too_long).all()


def test_the_temperature_undoes_a_wrong_scale(exported: dict[str, Path], strips: Path) -> None:
    """Logits that are twice too large get twice the temperature."""
    composed = read_composed(strips)
    model = StripModel(exported["float32"])
    images = np.pad(composed.images, ((0, 0), (0, 0), (0, WINDOW - composed.images.shape[2])))
    logits = model.invoke(model.tensor(images))
    once, twice = fit_temperature(logits, composed.labels), fit_temperature(2 * logits, composed.labels)
    assert twice == pytest.approx(2 * once, rel=0.02)
    assert model.card.temperature == pytest.approx(once, rel=0.2)


def test_int8_passes_the_gates_and_wrong_models_do_not(
    exported: dict[str, Path], strips: Path, tmp_path: Path
) -> None:
    composed = read_composed(strips).as_set("strips")
    good = validate_strips(exported["float32"], [exported["int8"]], [composed], timed=False)
    assert good.failures == ()
    (one,) = good.sets
    assert one.baseline.exact > 0.8
    low, high = one.baseline.exact_interval
    assert low < one.baseline.exact < high
    model = StripModel(exported["float32"])
    said = [(read_strip(model, strip.image, False), strip.text) for strip in composed.strips]
    accepted = [r.text == text for r, text in said if r.confidence >= one.baseline.threshold_at_1_percent]
    assert 0 < one.baseline.read_rate_at_1_percent == len(accepted) / len(said) < 1
    assert accepted.count(False) <= 0.01 * len(accepted)
    card, body = split_model(exported["int8"])
    swapped = (*card.labels[1:-1], card.labels[0], BLANK)
    for changes in ({"labels": swapped}, {"temperature": 40.0}):
        path = tmp_path / "bad.tflite"
        path.write_bytes(pack(body, dataclasses.replace(card, **changes)))
        gates = StripGates()
        if "labels" in changes:
            with pytest.raises(ModelError, match="same labels"):
                validate_strips(exported["float32"], [path], [composed], gates, timed=False)
        else:
            assert validate_strips(exported["float32"], [path], [composed], gates, timed=False).failures


def test_weights_of_another_run_fail(exported: dict[str, Path], strips: Path, tmp_path: Path) -> None:
    other = read_run(write_strip_run(tmp_path / "other", shifted=1))
    (made,) = export_strip_run(other, tmp_path / "out", find_formats(["int8"]), read_composed(strips))
    composed = read_composed(strips).as_set("strips")
    validation = validate_strips(exported["float32"], [made.path], [composed], timed=False)
    (comparison,) = validation.sets[0].comparisons
    failed = {failure.gate for failure in comparison.failures}
    assert {"max_drop", "min_agreement", "max_cer_rise", "max_read_rate_loss"} <= failed
    assert len(comparison.changes) == round((1 - comparison.agreement) * len(composed)) < len(composed)
    figures = {f.label: f for f in comparison.model.per_label}
    assert figures["3"].read_as[0][0] == "2"
    for label, one in figures.items():
        assert one.count == sum(strip.text.count(label) for strip in composed.strips)
        assert one.count == one.right + one.deleted + sum(n for _, n in one.read_as)
    wrong = sum(one.deleted + one.inserted + sum(n for _, n in one.read_as) for one in figures.values())
    signs = sum(one.count for one in figures.values())
    assert comparison.model.character_error_rate == pytest.approx(wrong / signs)
    few = dataclasses.replace(composed, strips=composed.strips[:10])
    given = exported["float32"], [made.path], [few]
    spoilt = validate_strips(*given, timed=False, corruptions=True).sets[0].comparisons[0]
    assert "max_corrupted_drop" in {failure.gate for failure in spoilt.failures}
    assert max(row.drop for row in spoilt.corrupted) > 0.3


def test_the_command_says_it_all(
    exported: dict[str, Path], strips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [str(exported["float32"]), str(exported["int8"])]
    gates = tmp_path / "gates.toml"
    gates.write_text("[gates]\nmin_agreement = 1.0\nmax_drop = false\n")
    files = {kind: tmp_path / f"report.{kind}" for kind in ("json", "junit", "html")}
    given = ["--html", str(files["html"]), "--json", str(files["json"]), "--junit", str(files["junit"])]
    assert main(["validate", *models, "--strips", str(strips), *given]) == 0
    said = capsys.readouterr().out
    assert "160 strips, digits and separators compared" in said
    assert "bars-int8" in said
    whole = json.loads(files["json"].read_text())
    assert whole["passed"]
    assert whole["sets"][0]["baseline"]["timing"]["p50"] > 0
    page = files["html"].read_text()
    assert "Every gate is passed" in page
    assert page.count("<figure>") == len(whole["sets"][0]["comparisons"][0]["changes"])
    suite = ElementTree.parse(files["junit"]).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("5", "0", "1")
    (skipped,) = [case for case in suite if case.find("skipped") is not None]
    assert skipped.get("name") == "max_corrupted_drop"
    assert skipped[0].get("message") == "not measured"
    status = main(["validate", *models, "--strips", str(strips), "--gates", str(gates)])
    assert status == int(whole["sets"][0]["comparisons"][0]["agreement"] < 1)


def test_strips_are_spoilt_alike_for_every_model(exported: dict[str, Path], strips: Path) -> None:
    few = read_composed(strips).as_set("strips")
    few = dataclasses.replace(few, strips=few.strips[:24])
    given = exported["float32"], [exported["int8"]], [few]
    gates = StripGates(max_corrupted_drop=-1)
    validation = validate_strips(*given, gates, timed=False, corruptions=True)
    (comparison,) = validation.sets[0].comparisons
    rows = {(row.corruption, row.severity): row for row in comparison.corrupted}
    assert len(rows) == 3 * len(STRIP_CORRUPTIONS) == 36
    assert "max_corrupted_drop" in {failure.gate for failure in comparison.failures}
    # The network reads rows of the strip, so what moves the writing or hides it is its end.
    clean = validation.sets[0].baseline.exact
    assert rows["scale", 3].accuracy < rows["contrast", 1].accuracy
    assert all(row.accuracy <= clean + 0.1 for row in rows.values())
    for name in ("noise", "salt and pepper"):
        assert rows[name, 3].accuracy <= rows[name, 1].accuracy
    said = strip_table(validation)
    assert "accuracy % under" in said
    assert "salt and pepper" in said
    whole = json.loads(validation.as_json())
    assert len(whole["sets"][0]["comparisons"][0]["corrupted"]) == 36
    clean_only = validate_strips(*given, timed=False)
    assert strip_table(clean_only).count("accuracy % under") == 0
    assert "<svg" not in strip_html(clean_only, [few])


def test_the_report_plots_what_corruptions_cost(exported: dict[str, Path], strips: Path) -> None:
    composed = read_composed(strips).as_set("strips")
    sets = [
        dataclasses.replace(composed, name=f"{name} & more", strips=composed.strips[part])
        for name, part in (("first", slice(0, 10)), ("last", slice(10, 20)))
    ]
    models = [exported[name] for name in ("float16", "int8")]
    validation = validate_strips(
        exported["float32"], models, sets, timed=False, any_format=True, corruptions=True
    )
    page = strip_html(validation, sets)
    drawings = re.findall(r"<svg.*?</svg>", page)
    assert len(drawings) == len(sets)
    for drawing, measured in zip(drawings, validation.sets, strict=True):
        marks = [mark for mark in ElementTree.fromstring(drawing).iter() if mark.tag.endswith("circle")]
        said = {mark[0].text for mark in marks}
        assert len(marks) == 36 * len(models)
        for comparison in measured.comparisons:
            name = comparison.model.name
            rows = comparison.corrupted
            assert {f"{name}, {r.corruption} {r.severity}: {100 * r.drop:+.2f}" for r in rows} <= said
    assert "first &amp; more: string accuracy lost against the float model" in page
    assert page.count("The dashed line is the gate") == len(sets)


@pytest.mark.parametrize("corruption", STRIP_CORRUPTIONS, ids=lambda c: c.name)
def test_strips_of_any_width_are_spoilt_by_severity(corruption: Corruption) -> None:
    for width in (1, 12, 300):
        strip = np.full((HEIGHT, width), 255, np.uint8)
        cv2.putText(strip, "2748 0395", (4, 32), cv2.FONT_HERSHEY_SIMPLEX, 1.1, 20, 2, cv2.LINE_AA)
        strip = stretch(strip)
        distances = []
        for severity in SEVERITIES:
            spoilt = corrupt_strip(strip, corruption, severity, seed=7)
            assert (spoilt.dtype, spoilt.shape) == (np.uint8, strip.shape)
            assert np.array_equal(spoilt, corrupt_strip(strip, corruption, severity, seed=7))
            distances.append(float(np.abs(spoilt.astype(float) - strip).mean()))
        if width == 300:
            assert distances[0] <= distances[2]
            # The stretch makes up for what is lost of the contrast, and nearly all of it.
            assert distances[2] < 3 if corruption.name == "contrast" else distances[2] > 0.3


def test_a_threshold_parts_no_readings_of_the_same_confidence() -> None:
    confidence = np.array([0.9, 0.9, 0.8, 0.7])
    right = np.array([True, False, True, True])
    assert most_accepted(confidence, right, 0.3) == (4, 0.7)
    assert most_accepted(confidence, right, 0.2) == (0, 1.0)
    assert most_accepted(confidence, np.ones(4, bool), 0.0) == (4, 0.7)
    assert most_accepted(confidence, np.array([True, True, False, True]), 0.0) == (2, 0.9)


def test_runs_and_strips_that_do_not_fit_are_refused(
    run: Path, strips: Path, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    composed = read_composed(strips)
    with pytest.raises(RunError, match="--strips"):
        next(export_run(read_run(run), tmp_path, find_formats(["float32"])))
    with pytest.raises(RunError, match="a run for glyphs"):
        next(export_strip_run(read_run(tiny_run), tmp_path, find_formats(["float32"]), composed))
    few = dataclasses.replace(composed, images=composed.images[:50], labels=composed.labels[:50])
    with pytest.raises(DataError, match="50 strips"):
        next(export_strip_run(read_run(run), tmp_path, find_formats(["int8"]), few))
    others = dataclasses.replace(composed, alphabet=tuple("0123456789"))
    with pytest.raises(DataError, match="the strips say"):
        next(export_strip_run(read_run(run), tmp_path, find_formats(["int8"]), others))
    assert main(["validate", "paper-float32", "paper-int8", "--strips", str(strips)]) == 1
    assert "a model for glyphs" in capsys.readouterr().err


def test_models_for_strips_want_strips(exported: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    models = [str(exported["float32"]), str(exported["int8"])]
    assert main(["validate", *models]) == 1
    assert "--strips FILE.npz or --lines DIR" in capsys.readouterr().err


def test_strips_that_say_what_no_label_stands_for_are_refused(
    exported: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = write_strips(tmp_path / "letters.npz", count=60, labels=list("abcdefghij.,-=/:"))
    models = [str(exported["float32"]), str(exported["int8"])]
    assert main(["validate", *models, "--strips", str(others)]) == 1
    assert "letters: has strips that say 'a', and the model reads only 0 1 2" in capsys.readouterr().err


def test_float_models_are_compared_only_where_that_is_asked_for(
    exported: dict[str, Path], strips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["validate", str(exported["int8"]), str(exported["float32"]), "--strips", str(strips)]
    assert main(given) == 1
    assert "name the float model first" in capsys.readouterr().err
    main([*given, "--any-format"])
    assert "160 strips, digits and separators compared" in capsys.readouterr().out


def test_firmware_is_of_models_for_glyphs(exported: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="a model for strips, where one for glyphs is expected"):
        write_firmware(str(exported["int8"]), tmp_path / "firmware")


def test_what_would_be_passed_over_is_refused(
    run: Path, exported: dict[str, Path], strips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [str(exported["float32"]), str(exported["int8"])]
    assert main(["validate", *models, "--strips", str(strips), "--part", "tune"]) == 1
    assert "--part tune: names a part of --lines DIR" in capsys.readouterr().err
    given = ["--strips", str(strips), "--representative", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(["convert", str(run), *given]) == 1
    assert "--representative: a run for strips" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": np.zeros((3, 30, 50), np.uint8)}, "N×40×W"),
        ({"labels": np.full((3, 4), 99, np.int32)}, "out of range"),
        ({"labels": np.zeros((2, 4), np.int32)}, "don't fit"),
        ({"about": np.array("{")}, "can't read the strips"),
        ({"about": np.array(json.dumps({"seed": 0}))}, "'labels' is missing"),
        ({"images": np.zeros((3, 40, 0), np.uint8)}, "N×40×W"),
        ({"labels": np.zeros((3, 0), np.int32)}, "don't fit"),
        ({"labels": np.array([[1, -1, 2]] * 3, np.int32)}, "a text goes on behind its end"),
    ],
)
def test_damaged_files_of_strips_are_refused(
    tmp_path: Path, change: dict[str, np.ndarray], words: str
) -> None:
    whole = {
        "images": np.zeros((3, 40, 50), np.uint8),
        "labels": np.zeros((3, 4), np.int32),
        "about": np.array(json.dumps({"labels": list(LABELS)})),
    }
    path = tmp_path / "strips.npz"
    np.savez(path, **(whole | change))
    with pytest.raises(DataError, match=words):
        read_composed(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match="--held-out"):
        read_composed(path)
    with pytest.raises(DataError, match="No such file"):
        read_composed(tmp_path / "none.npz")


def test_whatever_byte_of_a_file_of_strips_is_damaged_a_line_says_so(tmp_path: Path) -> None:
    path = write_strips(tmp_path / "strips.npz", count=2)
    content = path.read_bytes()
    refused = 0
    for place in [*range(0, len(content) - 400, 7), *range(len(content) - 400, len(content))]:
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            read_composed(path)  # some bytes say nothing that matters
        except DataError as error:
            refused += "\n" not in str(error)
    assert refused > 200
    for other in (b"no strips\n", b"\x80\x04K\x01."):  # the second is a pickle
        path.write_bytes(other)
        with pytest.raises(DataError, match="it is no whole"):
            read_composed(path)


def test_models_for_glyphs_are_not_strips(exported: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match="a model for strips"):
        Model(exported["int8"])
    with pytest.raises(ModelError, match="for glyphs"):
        StripModel("paper-int8")


def test_folders_without_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels\.csv"):
        read_lines(tmp_path)
    (tmp_path / "labels.csv").write_text("name\na\n")
    with pytest.raises(DataError, match="file and text"):
        read_lines(tmp_path)
    (tmp_path / "labels.csv").write_text("file,text,part\na.png,12,tune\n")
    with pytest.raises(DataError, match="its parts are tune"):
        read_lines(tmp_path, "test")
    with pytest.raises(DataError, match=r"a\.png"):
        read_lines(tmp_path, "tune")


def with_labels(folder: Path, content: str) -> Path:
    """A folder with a picture `a.png`, and these labels."""
    (folder / "images").mkdir()
    cv2.imwrite(str(folder / "images" / "a.png"), np.full((40, 90), 200, np.uint8))
    (folder / "labels.csv").write_text(content, "utf-8")
    return folder


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("file,text\na.png,1250\n", "1250"),
        ('file,text\na.png,"1.250,00 /-"\n', "125000"),  # the reader's separators are left out as well
        ("\ufefffile,text\na.png,1250\n", "1250"),  # as spreadsheets write it
        ("text,file\n,a.png\n", ""),  # a strip that says nothing
        ('file,text\na.png,"1250\n"\n', "1250"),
    ],
)
def test_of_labels_the_digits_are_taken(tmp_path: Path, content: str, text: str) -> None:
    (strip,) = read_lines(with_labels(tmp_path, content)).strips
    assert strip.text == text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,file\n1250\n", "row 2: names no picture"),
        ("file,text\na.png\n", "row 2: names no picture, or not what stands in it"),
        ("file,text\n,1250\n", "row 2: names no picture"),
        ("file,text\na\0.png,1250\n", "row 2: names no picture"),
        ("file,text\na.png,1250\na.png,1?50\n", r"row 3: its text has '\?'"),
        ("file,text\na.png,1250\nb.png,7\na.png,33\n", "row 4: names a.png again, after row 2"),
        ('file,text\na.png,"12\n50"\n', "2 lines of text where a strip has one"),
    ],
)
def test_labels_that_cannot_be_right_are_refused(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_lines(with_labels(tmp_path, content))
