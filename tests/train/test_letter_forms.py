"""Letters as a hand draws them: what is among the junk, and what looks like a digit and is left out."""

import string

import numpy as np

from edgedigits_train import junk, letter_forms
from edgedigits_train.data import load_mnist


def test_letters_fill_their_field_and_differ():
    random = np.random.default_rng(0)
    pictures = [letter_forms.letter(random) for _ in range(60)]
    for picture in pictures:
        assert picture.shape == (56, 56)
        rows, columns = (np.flatnonzero(picture.any(axis=k)) for k in (1, 0))
        assert max(np.ptp(rows), np.ptp(columns)) > 30
        assert 0.03 < (picture > 0).mean() < 0.5
    assert len({picture.tobytes() for picture in pictures}) == 60


def test_what_is_drawn_comes_from_the_generator():
    one, again, other = (letter_forms.letter(np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_no_letter_is_drawn_that_a_hand_writes_like_a_digit():
    assert not set("0OoDQIl1|ZzSsBbGgTYyuhJqt") & set(letter_forms.FORMS)
    assert not set(string.digits) & set(letter_forms.FORMS)


def test_a_share_of_the_letters_among_the_junk_is_written_and_none_of_it_without(small_mnist, monkeypatch):
    mnist = load_mnist(small_mnist)
    digits = mnist.train_images[:200], mnist.train_labels[:200]
    calls = []

    def counted(random):
        calls.append(random)
        return letter(random)

    letter = letter_forms.letter
    monkeypatch.setattr(letter_forms, "letter", counted)
    junk.drawings(*digits, 200, np.random.default_rng(0))
    assert not calls
    some = junk.drawings(*digits, 200, np.random.default_rng(0), written=0.6)
    assert 15 < len(calls) < 50  # of about fifty letters
    assert some.any(axis=(1, 2)).all()


def test_print_has_more_letters_where_some_are_written(small_mnist, monkeypatch):
    mnist = load_mnist(small_mnist)
    digits = mnist.train_images[:200], mnist.train_labels[:200]
    seen = []

    def told(text, font):
        seen.append(text)
        return letter(text, font)

    letter = junk.letter
    monkeypatch.setattr(junk, "letter", told)
    junk.drawings(*digits, 600, np.random.default_rng(0))
    assert not set("BTYcy") & set(seen)
    junk.drawings(*digits, 1500, np.random.default_rng(0), written=0.2)
    assert set("BTYcy") <= set(seen)
    assert not set("OISZ") & set(seen)
