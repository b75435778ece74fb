"""Digits drawn anew: what is promised of every crop, of each setting, and of what is no digit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgedigits.normalize import normalize
from edgedigits_train import augment, distance_fields, forms, junk
from edgedigits_train.data import NOT_A_DIGIT, DataError, load_mnist, negatives_part, with_negatives
from edgedigits_train.recipe import Augmentation, RecipeError, load_recipe, recipe_from_text
from edgedigits_train.sheet import COLUMNS, contact_sheet
from edgedigits_train.versions import HELD_OUT, Versions, check

EVERYTHING = dataclasses.replace(load_recipe("compact").augmentation, variants=2, junk=60, pieces=0)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Sixty digits of pen strokes, 28×28 as MNIST has them, and their labels."""
    random = np.random.default_rng(5)
    images, labels = [], []
    for number in range(60):
        label = number % 10
        picture = np.zeros((60, 60), np.uint8)
        thick = int(random.integers(3, 7))
        cv2.putText(picture, str(label), (10, 48), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 255, thick, cv2.LINE_AA)
        images.append(normalize(picture))
        labels.append(label)
    return np.array(images), np.array(labels)


@pytest.fixture(scope="module")
def shapes(digits: tuple[np.ndarray, np.ndarray]) -> distance_fields.Fields:
    return distance_fields.fields(digits[0])


def drawn(shapes: distance_fields.Fields, labels: np.ndarray, seed: int = 0, **settings: float) -> np.ndarray:
    return augment.draw(shapes, labels, Augmentation(**settings), np.random.default_rng(seed))


def area(crops: np.ndarray) -> float:
    return float((crops > 127).sum(axis=(1, 2)).mean())


def test_digits_are_drawn_in_the_forms_of_other_hands(shapes: distance_fields.Fields) -> None:
    """As every picture is drawn in such a form, what MNIST's own digits looked like no longer matters."""
    labels = np.full(len(shapes), 7)
    turned = distance_fields.Fields(
        shapes.inside[:, ::-1], shapes.middle[:, ::-1], shapes.width, shapes.smooth
    )
    assert np.array_equal(drawn(shapes, labels, forms=1.0), drawn(turned, labels, forms=1.0))
    some = drawn(shapes, labels, forms=0.5)
    own = drawn(shapes, labels, forms=0.0)
    assert not np.array_equal(some, own)
    assert len(np.unique(drawn(shapes, labels, forms=1.0), axis=0)) == len(shapes)
    assert set(forms.FORMS) == set(range(10))


def test_a_digit_drawn_without_any_change_is_the_same_digit(digits, shapes):
    crops = drawn(shapes, digits[1])
    ink, same = digits[0] > 127, crops > 127
    overlap = (ink & same).sum(axis=(1, 2)) / (ink | same).sum(axis=(1, 2))
    assert np.median(overlap) > 0.75
    # … and far more so than another digit would be.
    other = np.roll(same, 1, axis=0)
    assert np.median((ink & other).sum(axis=(1, 2)) / (ink | other).sum(axis=(1, 2))) < 0.45


def test_every_crop_is_centred_as_mnist_does_it(digits, shapes):
    crops = augment.draw(shapes, digits[1], EVERYTHING, np.random.default_rng(1))
    assert crops.shape == (60, 28, 28)
    assert crops.dtype == np.uint8
    for crop in crops:
        x, y, width, height = cv2.boundingRect(crop)
        assert max(width, height) <= 20
        assert crop.max() == 255
        moments = cv2.moments(crop)
        for centre, start, length in (("m10", x, width), ("m01", y, height)):
            at_the_border = start == 0 or start + length == 28
            assert at_the_border or 13.49 <= moments[centre] / moments["m00"] <= 14.51


def test_drawing_is_a_function_of_the_generator(digits, shapes):
    first, again, other = (
        augment.draw(shapes, digits[1], EVERYTHING, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert (first != other).any(axis=(1, 2)).mean() > 0.9


def test_the_pen_and_the_width_move_the_ink(digits, shapes):
    as_it_is = area(drawn(shapes, digits[1]))
    assert area(drawn(shapes, digits[1], bolder=4.0)) > 1.1 * as_it_is
    areas = (drawn(shapes, digits[1], pen=1.0) > 127).sum(axis=(1, 2))
    # Strokes as thin as a ballpoint's and as bold as a felt pen's, out of the same digits.
    assert np.percentile(areas, 10) < 0.6 * as_it_is
    assert np.percentile(areas, 90) > 0.9 * as_it_is


def test_slant_leans_to_the_right(digits, shapes):
    ones = np.flatnonzero(digits[1] == 1)
    some = distance_fields.Fields(*(getattr(shapes, f.name)[ones] for f in dataclasses.fields(shapes)))
    upright = drawn(some, digits[1][ones])
    leaning = drawn(some, digits[1][ones], slant=1e-6, lean=0.5)
    top, bottom = slice(4, 11), slice(17, 24)

    def lean(crops: np.ndarray) -> float:
        columns = np.arange(28)
        upper, lower = crops[:, top].sum(axis=(0, 1)), crops[:, bottom].sum(axis=(0, 1))
        return float((upper * columns).sum() / upper.sum() - (lower * columns).sum() / lower.sum())

    assert lean(leaning) > lean(upright) + 3


def test_a_broken_stroke_is_in_pieces_more_often(digits, shapes):
    def pieces(crops: np.ndarray) -> float:
        return float(
            np.mean([cv2.connectedComponents((crop > 60).astype(np.uint8))[0] - 1 for crop in crops])
        )

    thin = {"pen": 1.0, "seed": 2}
    assert (
        pieces(drawn(shapes, digits[1], broken=1.0, **thin)) > pieces(drawn(shapes, digits[1], **thin)) + 0.3
    )


@pytest.mark.parametrize("label", [1, 4, 7, 9])
def test_other_hands_change_the_digits_that_have_another_form(digits, shapes, label):
    chosen = digits[1] == label
    plain, other = drawn(shapes, digits[1]), drawn(shapes, digits[1], strokes=1.0)
    changed = np.abs(plain[chosen].astype(int) - other[chosen]).mean()
    assert changed > 8  # grey levels


def test_coarse_pictures_lose_detail(digits, shapes):
    def detail(crops: np.ndarray) -> float:
        return float(
            np.mean([np.abs(cv2.Laplacian(crop.astype(np.float32), cv2.CV_32F)).mean() for crop in crops])
        )

    assert detail(drawn(shapes, digits[1], coarse=1.0)) < 0.95 * detail(drawn(shapes, digits[1]))


def test_the_middle_line_of_a_bar():
    masks = np.zeros((2, 30, 30), np.uint8)
    masks[0, 5:25, 10:17] = 1
    cv2.circle(masks[1], (15, 15), 9, 1, 4)
    lines = distance_fields.thin(masks)
    assert set(np.unique(lines)) == {0, 1}
    assert (lines <= masks).all()
    assert (lines[0, 10:20].sum(axis=1) == 1).all()
    assert np.array_equal(distance_fields.thin(lines), lines)
    # A ring stays a ring: one piece, with a hole.
    assert cv2.connectedComponents(lines[1], connectivity=8)[0] == 2
    assert cv2.connectedComponents(1 - lines[1], connectivity=4)[0] == 3


def test_distances_of_a_bar():
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 4:24, 12:16] = 255
    found = distance_fields.fields(image)
    across = (found.inside[0, 28].astype(float) - 128) / distance_fields.UNIT
    # 4 pixels are 8 field pixels: 4 from the edge in the middle, 0 at the edge.
    assert across[24:32].max() == pytest.approx(3.5, abs=0.6)
    assert np.interp(0, across[20:28], np.arange(20, 28)) == pytest.approx(23.5, abs=0.7)
    assert found.width[0] == pytest.approx(8, abs=1.5)
    assert found.smooth[0]


def test_ink_photographed_is_found_again(digits):
    random = np.random.default_rng(0)
    settings = Augmentation()
    overlaps = []
    for image in digits[0][:30]:
        ink = cv2.resize(image, (augment.CANVAS, augment.CANVAS)).astype(np.float32) / 255
        glyph = augment.found_again(augment.photograph(ink, settings, random), ink)
        assert glyph is not None
        there, found = ink > 0.5, glyph > 100
        overlaps.append((there & found).sum() / (there | found).sum())
    assert np.median(overlaps) > 0.7


def test_nothing_is_found_on_blank_paper_and_no_neighbour_beside_a_digit():
    blank = np.full((augment.CANVAS, augment.CANVAS), 200, np.uint8)
    assert augment.found_again(blank) is None
    ink = np.zeros((augment.CANVAS, augment.CANVAS), np.float32)
    cv2.circle(ink, (16, 26), 8, 1.0, 2)
    both = ink.copy()
    cv2.line(both, (44, 4), (44, 48), 1.0, 2)
    grey = (220 - 180 * both).astype(np.uint8)
    alone = augment.found_again(grey, ink)
    assert alone is not None
    assert not alone[:, 40:].any()
    everything = augment.found_again(grey)
    assert everything is not None
    assert everything[:, 40:].any()


# What is no digit


def test_junk_is_drawn_in_every_kind_and_never_empty(digits):
    pictures = junk.drawings(*digits, 200, np.random.default_rng(0))
    assert pictures.shape == (200, distance_fields.FIELD, distance_fields.FIELD)
    assert pictures.any(axis=(1, 2)).all()


def test_junk_crops_are_a_function_of_the_generator_and_hold_the_negatives(digits):
    things = np.full((3, 28, 28), 0, np.uint8)
    things[:, 4:24, 4:24] = 180  # a square, which no drawing is
    one, again, without = (
        junk.crops(*digits, negatives, 50, EVERYTHING, np.random.default_rng(7))
        for negatives in (things, things, things[:0])
    )
    assert one.shape == without.shape == (50, 28, 28)
    assert np.array_equal(one, again)
    # One of the ways a thing is seen is as it is: the square fills its box.
    assert (one > 127).sum(axis=(1, 2)).max() == 400
    assert (without > 127).sum(axis=(1, 2)).max() < 400


def test_parts_leave_out_what_is_a_digit_itself():
    assert not set(junk.PARTS) & {1, 4, 6, 7, 9}
    assert "t" not in junk.PARTS[8]
    assert "b" not in junk.PARTS[8]
    assert not set("0OoDQIl1|ZzSsBbGg6q9") & set(junk.LETTERS)


# Versions


def test_versions_do_not_depend_on_the_number_of_processes(digits, monkeypatch):
    monkeypatch.setattr("edgedigits_train.versions.CHUNK", 20)
    settings = dataclasses.replace(EVERYTHING, fresh=0.0)
    arguments = (*digits, np.zeros((0, 28, 28), np.uint8), settings, 11)
    with Versions(*arguments, processes=1) as one, Versions(*arguments, processes=2) as two:
        pictures, labels = one.epoch(1)
        assert pictures.shape == (120, 28, 28)
        assert labels.tolist() == [*digits[1].tolist(), *[10] * 60]
        assert np.array_equal(pictures, two.epoch(1)[0])
        plain = (pictures[:60] == digits[0]).all(axis=(1, 2))
        assert 0.15 < plain.mean() < 0.7  # recipe: 0.4
        second, third = one.epoch(2)[0], one.epoch(3)[0]
        # Two versions come in turn; which digits stay plain differs from epoch to epoch.
        assert not np.array_equal(pictures[60:], second[60:])
        assert np.array_equal(pictures[60:], third[60:])
        assert not np.array_equal(pictures[:60], third[:60])
        assert not np.array_equal(one.draw(HELD_OUT)[0][:60], pictures[:60])


def test_a_version_ends_with_pieces_of_strings(digits, monkeypatch):
    monkeypatch.setattr("edgedigits_train.versions.CHUNK", 20)
    settings = dataclasses.replace(EVERYTHING, fresh=0.0, junk=10, pieces=50)
    arguments = (*digits, np.zeros((0, 28, 28), np.uint8), settings, 11)
    with Versions(*arguments, processes=1) as one, Versions(*arguments, processes=2) as two:
        pictures, labels = one.epoch(1)
        assert pictures.shape == (120, 28, 28)
        assert labels[:70].tolist() == [*digits[1].tolist(), *[10] * 10]
        assert len(set(labels[70:].tolist())) > 5
        for mine, other in zip(one.epoch(2), two.epoch(2), strict=True):
            assert np.array_equal(mine, other)
        assert not np.array_equal(one.epoch(2)[0][70:], pictures[70:])


def test_a_chunk_without_all_ten_digits_gives_no_pieces(digits, monkeypatch):
    """The last chunk may be any length: [data] train says how many pictures there are."""
    monkeypatch.setattr("edgedigits_train.versions.CHUNK", 20)
    settings = dataclasses.replace(EVERYTHING, fresh=0.0, junk=10, pieces=50)
    images, labels = (values[:43] for values in digits)
    with Versions(images, labels, np.zeros((0, 28, 28), np.uint8), settings, 11, processes=1) as versions:
        assert len(versions.epoch(1)[0]) == 43 + 10 + 50


@pytest.mark.parametrize(
    ("settings", "of", "message"),
    [
        ({"junk": 5}, (1, 4), "junk is made of all ten digits, and none of the .* shows a 0"),
        ({"junk": 5, "pieces": 5}, (0,), "junk is made of all ten digits"),
        ({"junk": 5, "pieces": 5}, range(10), "nowhere are all ten digits"),
    ],
)
def test_pictures_that_what_is_no_digit_can_not_be_made_of(small_mnist, settings, of, message):
    """Else it would be looked for without an end."""
    data = load_mnist(small_mnist)
    few = np.sort(data.train_labels[np.isin(data.train_labels, list(of))])
    recipe = dataclasses.replace(
        load_recipe("compact"), augmentation=dataclasses.replace(EVERYTHING, **{"junk": 0, **settings})
    )
    with pytest.raises(RecipeError, match=message):
        check(recipe, data, few)
    check(recipe, data, data.train_labels)


@pytest.mark.parametrize("settings", [{"forms": 0.1}, {"strokes": 0.1}, {"junk": 5}])
def test_letters_are_not_drawn_as_digits(small_mnist, settings):
    data = load_mnist(small_mnist)
    letters = dataclasses.replace(data, labels=tuple("ABCDEFGHIJ"))
    recipe = dataclasses.replace(load_recipe("paper"), augmentation=Augmentation(variants=1, **settings))
    with pytest.raises(RecipeError, match=f"paper: .* {next(iter(settings))} is made of digits"):
        check(recipe, letters, letters.train_labels)
    plain = dataclasses.replace(recipe, augmentation=Augmentation(variants=1, rotation=5.0))
    check(plain, letters, letters.train_labels)
    small = dataclasses.replace(letters, train_images=letters.train_images[:, :20, :24])
    with pytest.raises(RecipeError, match="pictures of 28×28, and those of mnist are 20×24"):
        check(plain, small, letters.train_labels)


def test_a_class_of_what_is_no_digit_is_not_added_twice(small_mnist):
    data = load_mnist(small_mnist)
    with pytest.raises(DataError, match="has a class 'not a digit' already"):
        with_negatives(dataclasses.replace(data, labels=(*data.labels, NOT_A_DIGIT)))


def test_what_is_fresh_differs_in_every_epoch_and_can_be_had_again(digits):
    settings = dataclasses.replace(EVERYTHING, variants=1, plain=1.0, junk=0)
    arguments = (*digits, np.zeros((0, 28, 28), np.uint8), settings, 11)
    with Versions(*arguments, processes=1) as one, Versions(*arguments, processes=1) as two:
        first, second = one.epoch(1)[0], one.epoch(2)[0]
        assert (first != second).any(axis=(1, 2)).mean() > 0.95
        assert np.array_equal(second, two.epoch(2)[0])
        pictures, labels = one.held_out()
        assert np.array_equal(pictures, two.held_out()[0])
        assert labels.tolist() == digits[1].tolist()


def test_bending_keeps_the_digit_about_its_centre_of_mass(digits):
    crops, _ = digits
    still = augment.bent(crops, dataclasses.replace(EVERYTHING, fresh=0.0), np.random.default_rng(0))
    assert np.array_equal(still, crops)
    bent = augment.bent(crops, EVERYTHING, np.random.default_rng(0))
    for before, after in zip(crops, bent, strict=True):
        old, new = cv2.moments(before), cv2.moments(after)
        for axis in ("m10", "m01"):
            assert new[axis] / new["m00"] == pytest.approx(old[axis] / old["m00"], abs=1.5)
    overlap = ((crops > 127) & (bent > 127)).sum(axis=(1, 2)) / ((crops > 127) | (bent > 127)).sum(
        axis=(1, 2)
    )
    assert 0.3 < np.median(overlap) < 0.95


def test_a_bent_picture_is_turned_by_the_angle_of_the_settings():
    bar = np.zeros((400, 28, 28), np.uint8)
    bar[:, 4:24, 13:16] = 255
    turned = augment.bent(bar, Augmentation(rotation=20.0, fresh=0.5), np.random.default_rng(1))
    angles = []
    for crop in turned:
        moments = cv2.moments(crop)
        angles.append(0.5 * np.arctan2(2 * moments["mu11"], moments["mu20"] - moments["mu02"]))
    degrees = np.rad2deg(np.array(angles)) % 180 - 90
    assert np.std(degrees) == pytest.approx(10, abs=2.5)


# The split, the recipes, the sheet


def test_the_negatives_are_split_once():
    learnt, measured = negatives_part(3000, training=True), negatives_part(3000, training=False)
    assert len(learnt) == 1800
    assert np.array_equal(np.sort(np.concatenate([learnt, measured])), np.arange(3000))
    assert np.array_equal(learnt, negatives_part(3000, training=True))


def test_the_negatives_make_an_eleventh_class(small_mnist: Path, tmp_path: Path):
    data = load_mnist(small_mnist)
    with pytest.raises(DataError, match="can't read the negatives"):
        with_negatives(data, tmp_path)
    (tmp_path / "negatives").mkdir()
    images = np.arange(10, dtype=np.uint8)[:, None, None] * np.ones((1, 28, 28), np.uint8)
    np.savez(tmp_path / "negatives" / "fashion.npz", images=images)
    more = with_negatives(data, tmp_path)
    assert more.labels == (*"0123456789", NOT_A_DIGIT)
    assert more.negatives[:, 0, 0].tolist() == negatives_part(10, training=True).tolist()
    assert more.checksums["negatives/fashion.npz images"]
    np.savez(tmp_path / "negatives" / "fashion.npz", images=images[:, :20])
    with pytest.raises(DataError, match="20×28"):
        with_negatives(data, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("[augmentation]\npen = 1.5\n", r"line 13: \[augmentation\] pen = 1.5: must be at most 1"),
        ("[augmentation]\nblur = 1\n", r"line 13: \[augmentation\] blur: no such setting"),
        ("[augmentation]\nvariants = -1\n", r"line 13: .*must be at least 0"),
        ("[distillation]\nweight = 0.5\ntemperature = 0\n", r"line 14: .*must be above 0"),
    ],
)
def test_senseless_settings_are_named_with_their_line(change: str, message: str):
    text = (
        '[data]\nset = "mnist"\n[network]\nkind = "mlp"\nhidden = [8]\n[training]\nepochs = 1\nbatch = 8\n'
        '[optimizer]\nkind = "sgd"\nrate = 1\n'
    )
    with pytest.raises(RecipeError, match=message):
        recipe_from_text(text + change, "r.toml", "r")


def test_lists_of_another_length_are_named():
    text = (
        '[data]\nset = "mnist"\n[network]\nkind = "cnn"\nfilters = [8, 8]\nkernels = [3]\nstrides = [1, 1]\n'
        'edges = ["same", "same"]\n[training]\nepochs = 1\nbatch = 8\n[optimizer]\nkind = "sgd"\nrate = 1\n'
    )
    with pytest.raises(RecipeError, match=r"line 4: .*one entry for each convolution, not 2, 1, 2, 2"):
        recipe_from_text(text, "r.toml", "r")


def test_the_contact_sheet_shows_every_class(small_mnist: Path):
    data = load_mnist(small_mnist)
    sheet = contact_sheet(data, dataclasses.replace(EVERYTHING, junk=10, pieces=10), 0)
    assert sheet.shape == (2 * 28 * (20 + 8 + 8), 2 * 28 * COLUMNS)
    assert sheet.any()


def test_pieces_ask_for_junk():
    text = (
        '[data]\nset = "mnist"\n[network]\nkind = "mlp"\nhidden = [8]\n[training]\nepochs = 1\nbatch = 8\n'
        '[optimizer]\nkind = "sgd"\nrate = 1\n[augmentation]\nvariants = 1\npieces = 5\n'
    )
    with pytest.raises(RecipeError, match=r"line 14: \[augmentation\] pieces without junk"):
        recipe_from_text(text, "r.toml", "r")
