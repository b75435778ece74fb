"""One event for each sheet, whatever the frames say in between."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable

import pytest
from tests.edge.sheets import line, page

from edgedigits.decode import RejectRule
from edgedigits.page import Page
from edgedigits.track import Sighting, Tracker, TrackSettings

RULE = RejectRule(min_digit_confidence=0.6, min_line_confidence=0.5)
RATE = 30


class Scene:
    """Feeds a tracker frame by frame, 30 a second."""

    def __init__(self, settings: TrackSettings = TrackSettings()) -> None:
        self.tracker = Tracker(RULE, settings)
        self.frame = 0
        self.seen: list[Sighting] = []

    def show(self, what: Page | Iterable[Page], frames: int = 1, moving: bool = False) -> Scene:
        for one in [what] * frames if isinstance(what, Page) else what:
            sighting = self.tracker.observe(self.frame / RATE, one, self.frame, moving)
            if sighting is not None:
                self.seen.append(sighting)
            self.frame += 1
        return self

    @property
    def texts(self) -> list[str]:
        return [sighting.text for sighting in self.seen]


EMPTY = page()


def test_a_sheet_is_one_event() -> None:
    scene = Scene().show(EMPTY, 10).show(page("12345", "678"), 100).show(EMPTY, 60)
    assert scene.texts == ["12345\n678"]
    assert scene.seen[0].accepted
    assert scene.seen[0].size == (640, 480)
    assert scene.seen[0].frames >= 4


def test_it_comes_soon_and_not_at_once() -> None:
    scene = Scene().show(page("12345"), 5)
    assert scene.texts == []
    assert scene.show(page("12345"), 8).texts == ["12345"]


def test_the_same_sheet_that_comes_back_is_a_new_event() -> None:
    scene = Scene()
    for _ in range(3):
        scene.show(page("12345"), 40).show(EMPTY, 30)
    assert scene.texts == ["12345"] * 3


def test_a_short_gap_is_none() -> None:
    scene = Scene().show(page("12345"), 40)
    for _ in range(5):
        scene.show(EMPTY, 6).show(page("12345"), 20)  # a hand, a flash
    assert scene.texts == ["12345"]


def test_what_moves_is_not_reported() -> None:
    slid = [page("12345"[: 1 + k // 20], x=40 + 4 * k) for k in range(100)]
    assert Scene().show(slid).texts == []
    crept = [page("12345", x=40 + k) for k in range(100)]
    assert Scene().show(crept).texts == []


def test_a_sheet_pushed_about_stays_the_same_one() -> None:
    scene = Scene().show(page("12345"), 40)
    scene.show([page("12345", x=100 + 5 * k) for k in range(20)], moving=True)
    assert scene.show(page("12345", x=200), 60).texts == ["12345"]


def test_another_sheet_right_after_it_is_another_event() -> None:
    scene = Scene().show(page("12345"), 40).show(page("99345", x=150), 4, moving=True)
    assert scene.show(page("99345", x=150), 40).texts == ["12345", "99345"]
    # A feeder puts each sheet where the last one lay, with the next number on it.
    feeder = Scene()
    for number in range(1000, 1005):
        feeder.show(page(str(number)), 1, moving=True).show(page(str(number)), 30)
    assert feeder.texts == [str(number) for number in range(1000, 1005)]


def test_the_same_numbers_in_another_order_are_another_sheet() -> None:
    scene = Scene().show(page("12345", "67890"), 40).show(page("67890", "12345"), 2, moving=True)
    assert scene.show(page("67890", "12345"), 40).texts == ["12345\n67890", "67890\n12345"]


def test_the_light_makes_no_events() -> None:
    """A digit that turns into another while nothing moves is a doubt and no sheet."""
    scene = Scene().show(page("12345"), 60).show(page("72345"), 60).show(page("12345"), 60)
    assert scene.texts == ["12345"]


def test_votes_settle_what_a_frame_gets_wrong() -> None:
    rng = random.Random(1)
    wrong = [page("12345" if rng.random() < 0.8 else "17345", confidence=0.9) for _ in range(60)]
    assert Scene().show(wrong).texts == ["12345"]


def test_what_is_voted_for_stands_between_the_separators() -> None:
    """Of letters, too; and whatever the last frame takes them for."""

    def seen(text: str) -> Page:
        return dataclasses.replace(
            page(), lines=(dataclasses.replace(line(text, confidence=0.95), raw="-".join(text)),)
        )

    for text, other in [("AB", "AX"), ("47", "41")]:
        scene = Scene(TrackSettings(steady_frames=4, steady_seconds=0.0))
        (sighting,) = scene.show([seen(text)] * 3 + [seen(other)]).seen
        assert (sighting.text, sighting.lines[0].raw) == (text, "-".join(text))


@pytest.mark.parametrize(("share", "accepted"), [(0.7, False), (0.2, True)])
def test_what_most_frames_doubt_as_a_part_of_the_line_is_not_accepted(share: float, accepted: bool) -> None:
    rng = random.Random(2)
    sure = page("12345", confidence=0.95)
    doubted = dataclasses.replace(sure, lines=(dataclasses.replace(sure.lines[0], doubtful=(1,)),))
    frames = [doubted if rng.random() < share else sure for _ in range(300)]
    (sighting,) = Scene().show(frames).seen
    assert sighting.text == "12345"
    assert sighting.accepted == accepted


def test_lines_of_which_most_digits_are_doubtful_are_no_writing() -> None:
    one = page("12345")
    doubted = dataclasses.replace(one, lines=(dataclasses.replace(one.lines[0], doubtful=(0, 2, 4)),))
    assert Scene().show(doubted, 300).seen == []


def test_votes_raise_the_confidence() -> None:
    one = page("123", confidence=0.85)
    (sighting,) = Scene().show(one, 30).seen
    assert one.lines[0].confidence < sighting.confidence < 1
    assert sighting.accepted


def test_more_frames_raise_it_further_up_to_a_bound() -> None:
    """They are pictures of one sheet by one camera: what one of them gets wrong, others will, too."""

    def told(frames: int) -> float:
        (sighting,) = (
            Scene(TrackSettings(steady_frames=frames, steady_seconds=0))
            .show(page("123", confidence=0.85), frames)
            .seen
        )
        return sighting.confidence

    assert told(1) < told(4) < told(8) < told(11)
    assert told(11) == pytest.approx(told(80))


def test_a_sheet_is_told_where_the_last_frame_has_it() -> None:
    crept = [page("12345", x=100 + k) for k in range(4)]
    (sighting,) = Scene(TrackSettings(steady_frames=4, steady_seconds=0)).show(crept).seen
    assert sighting.page == 3
    assert sighting.lines[0].box == crept[-1].lines[0].box


def test_contradiction_lowers_it() -> None:
    mixed = [page("123" if k % 3 else "173", confidence=0.9) for k in range(90)]
    (sighting,) = Scene().show(mixed).seen
    middle = sighting.lines[0].digits[1]
    assert middle.confidence < 0.9
    assert middle.label == "2"
    assert middle.alternatives[0][0] == "7"


def test_a_doubtful_reading_is_waited_for_then_told() -> None:
    doubtful = page("1?3")
    scene = Scene().show(doubtful, 40)
    assert scene.texts == []
    assert scene.show(doubtful, 30).texts == ["1?3"]
    assert not scene.seen[0].accepted


def test_a_doubtful_reading_that_becomes_better_is_told_as_that() -> None:
    assert Scene().show(page("1?3"), 20).show(page("123"), 60).texts == ["123"]


def test_a_doubtful_sheet_that_leaves_is_not_lost() -> None:
    scene = Scene().show(page("1?3"), 25).show(EMPTY, 30)
    assert scene.texts == ["1?3"]
    ended = Scene().show(page("1?3"), 25)
    left = ended.tracker.finish()
    assert left is not None
    assert left.text == "1?3"


def test_noise_makes_no_events() -> None:
    rng = random.Random(2)
    noise = [
        page(*("".join(rng.choices("0123456789", k=rng.randint(1, 4))) for _ in range(rng.randint(0, 3))),
             x=rng.randint(0, 400), y=rng.randint(0, 300), confidence=rng.uniform(0.3, 1))
        for _ in range(2000)
    ]  # fmt: skip
    assert Scene().show(noise).texts == []
    assert Scene().show(page("????"), 200).texts == []


def test_a_line_that_comes_and_goes_does_not_hold_up_the_others() -> None:
    rng = random.Random(3)
    flickering = [page("12345", "678") if rng.random() < 0.15 else page("12345") for _ in range(200)]
    assert Scene().show(flickering).texts == ["12345"]


def test_a_line_of_doubtful_length_is_told_and_doubted() -> None:
    """Something beside it is taken for a digit now and then; sometimes it is not seen at all."""
    other = Page((*page("12345").lines, line("1678", x=80, y=180)), (640, 480), 1.0)
    whole, part = page("12345", "678"), page("12345")
    scene = Scene().show([whole, part, whole, other, other, whole, part, other, whole, part] * 10)
    assert scene.texts == ["12345\n678"]
    assert not scene.seen[0].accepted


def test_lines_stay_in_order_whichever_a_frame_misses() -> None:
    whole, first, last = page("123", "456", "789"), page("123", "456"), page("456", "789", y=180)
    for missing in (first, last, page("456", y=180)):
        scene = Scene(TrackSettings(steady_seconds=0.05))
        assert scene.show([whole, whole, whole, missing]).texts == ["123\n456\n789"]


@pytest.mark.parametrize("rate", [1, 5, 60])
def test_any_frame_rate_will_do(rate: int) -> None:
    tracker = Tracker(RULE)
    texts = []
    for number in range(40 * rate):
        sheet = page("12345") if number // (10 * rate) % 2 == 0 else EMPTY
        sighting = tracker.observe(number / rate, sheet, number)
        if sighting is not None:
            texts.append(sighting.text)
    assert texts == ["12345", "12345"]


def test_settled_tells_when_reading_can_rest() -> None:
    scene = Scene().show(EMPTY, 5)
    assert scene.tracker.settled
    scene.show(page("123"), 3)
    assert not scene.tracker.settled
    scene.show(page("123"), 30)
    assert scene.texts == ["123"]
    assert scene.tracker.settled
