"""From readings to events: the same sheet seen over many frames is one event.

A camera shows a sheet some hundred times; it is to be reported once, when it can be read best. A reading
counts when it lies still and says the same for a few frames, whose digits then vote. After that the sheet
stays the same one until it leaves, or until something else is read after there was motion.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgedigits.decode import RejectRule, with_digits
from edgedigits.page import REASONS, REJECTED, Box, Digit, Line, Page, Reason, refuse, with_reasons


@dataclass(frozen=True)
class TrackSettings:
    """When a reading counts."""

    steady_frames: int = 4
    """A reading counts once it was seen in so many frames. Frames, 1…100."""
    steady_seconds: float = 0.3
    """… and for so long. Seconds, 0…60."""
    agreement: float = 0.7
    """… and this part of the frames must agree on the number of digits. 0.5…1."""
    drift: float = 0.06
    """… and it must have moved by no more than this part of its digits' height. 0…1."""
    patience_seconds: float = 1.5
    """A doubtful reading is waited for so long to become a better one. Seconds, 0…60."""
    gone_seconds: float = 0.6
    """A sheet not seen for so long has left; what comes then is another. Seconds, 0…60."""
    independence: float = 0.1
    """How much a further frame tells: 0 nothing, 1 as much as another camera would. 0…1."""
    most_weight: float = 2.0
    """All frames together tell as much as so many cameras at most. 1…100."""
    least_confidence: float = 0.5
    """What is read with less certainty a digit than this, on average, is no writing at all. 0…1."""


@dataclass(frozen=True)
class Sighting:
    """A sheet that was read: its lines after the vote, how many frames took part, the last one's number."""

    lines: tuple[Line, ...]
    frames: int
    page: int
    size: tuple[int, int]

    @property
    def text(self) -> str:
        """The lines' texts, joined by newlines."""
        return "\n".join(line.text for line in self.lines)

    @property
    def confidence(self) -> float:
        """The probability that all lines are right, 0…1."""
        return math.prod(line.confidence for line in self.lines)

    @property
    def accepted(self) -> bool:
        """Whether every line is accepted."""
        return all(line.accepted for line in self.lines)


class Tracker:
    """Makes one `Sighting` of each sheet that is held before a camera.

    `rule` are the thresholds by which lines are accepted after the vote. Feed it every frame in order.
    """

    def __init__(self, rule: RejectRule, settings: TrackSettings = TrackSettings()) -> None:
        self._rule, self._settings = rule, settings
        self._window: collections.deque[tuple[float, Page]] = collections.deque(maxlen=100)
        self._since: float | None = None
        """When something was first seen of what is waited for."""
        self._seen = -math.inf
        """When the sheet at hand was last seen."""
        self._last = -math.inf
        self._interval = 0.0
        self._moved = False
        self._reported: Sighting | None = None
        self._doubtful: Sighting | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing is being waited for: what is there has been reported, or nothing is there."""
        return self._since is None

    @property
    def doubtful(self) -> Sighting | None:
        """What will be reported if nothing better is seen before the sheet leaves."""
        return self._doubtful

    def observe(self, seconds: float, page: Page, number: int = 0, moving: bool = False) -> Sighting | None:
        """Take in what was read in a frame; returns the sheet when it has been read, once.

        `seconds` is the frame's time on any clock that does not jump back, `number` the frame's own,
        `moving` whether the picture differs from the one before it.
        """
        self._interval = min(max(seconds - self._last, 0.0), 60.0) if self._last > -math.inf else 0.0
        self._last = seconds
        # Of a camera that is looked at once a second nothing can be said after half of one.
        left = None
        if seconds - self._seen > max(self._settings.gone_seconds, 2.5 * self._interval):
            left = self.finish()
        return self._look(seconds, page, number, moving) or left

    def finish(self) -> Sighting | None:
        """End with the sheet at hand; returns it if it was read, doubtfully, and not reported yet."""
        left = self._doubtful
        self._window.clear()
        self._since, self._reported, self._doubtful, self._moved = None, None, None, False
        self._seen = -math.inf
        return left

    def _look(self, seconds: float, page: Page, number: int, moving: bool) -> Sighting | None:
        lines = self._writing(page)
        self._moved |= moving
        if not lines:
            self._window.clear()
            return None
        if self._reported is None or self._is_sheet(lines):
            self._seen = seconds
        self._window.append((seconds, dataclasses.replace(page, lines=lines)))
        longest = max(1.0, 2 * self._settings.steady_seconds)
        while len(self._window) > self._settings.steady_frames and seconds - self._window[0][0] > longest:
            self._window.popleft()
        if self._reported is not None and not self._differs(lines):
            # As it was reported: nothing to wait for.
            self._since = None
            return None
        if self._since is None:
            self._since = seconds
        return self._judge(seconds, number)

    def _writing(self, page: Page) -> tuple[Line, ...]:
        """Return the lines that look like writing at all."""
        least = self._settings.least_confidence
        return tuple(
            line
            for line in page.lines
            if sum(digit.confidence for digit in line.digits) >= least * len(line.digits)
            and 2 * len(line.unsure) <= len(line.digits)
        )

    def _judge(self, seconds: float, number: int) -> Sighting | None:
        settings = self._settings
        pages = [page for _, page in self._window]
        if len(pages) < settings.steady_frames or seconds - self._window[0][0] < settings.steady_seconds:
            return None
        clusters = _clusters(pages)
        if _drift(clusters) > settings.drift:
            return None
        assert self._since is not None
        patient = seconds - self._since < settings.patience_seconds
        lines = []
        for cluster in clusters:
            line, share = self._vote(cluster, len(pages))
            if share >= settings.agreement:
                lines.append(line)
            elif patient and share >= 1 - settings.agreement:
                return None  # it comes and goes: perhaps it will stay
            elif 2 * len(cluster) >= len(pages):
                # It is there, whatever its length: left out it would be a sheet read wrongly and surely.
                lines.append(with_reasons(refuse(line, "doubtful")))
        if not lines:
            return None
        sighting = Sighting(tuple(lines), len(pages), number, pages[-1].size)
        if self._reported is not None and not self._is_another(sighting):
            self._since = None
            return None
        if patient and not sighting.accepted:
            if self._doubtful is None or sighting.confidence > self._doubtful.confidence:
                self._doubtful = sighting
            return None
        self._since = self._doubtful = None
        self._reported, self._moved, self._seen = sighting, False, seconds
        return sighting

    def _vote(self, lines: Sequence[Line], frames: int) -> tuple[Line, float]:
        """Return what most of a line's readings say, and the part of the frames that has so many digits."""
        counts = collections.Counter(len(line.text) for line in lines)
        length, count = max(counts.items(), key=lambda item: (item[1], item[0]))
        voters = [line for line in lines if len(line.text) == length]
        digits = tuple(self._digit([line.digits[k] for line in voters]) for k in range(len(voters[0].digits)))
        confidence = math.prod(digit.confidence for digit in digits)
        # What the frames think of the line as a whole may be less than the product of its digits says.
        doubt = _mean([line.confidence / max(1e-9, _product(line)) for line in voters])
        confidence = min(1.0, confidence * min(1.0, doubt))
        # What most frames doubt, as a part of the line, the others do not make sure.
        doubtful = tuple(
            k for k in range(length) if 2 * sum(k in each.doubtful for each in voters) > len(voters)
        )
        unsure = doubtful or any(digit.rejected for digit in digits)
        last = voters[-1]
        turned = collections.Counter(line.turned for line in voters).most_common(1)[0][0]
        line = dataclasses.replace(
            with_digits(last, digits),
            confidence=confidence,
            accepted=not unsure and not turned and confidence >= self._rule.min_line_confidence,
            readings=(),
            turned=turned,
            doubtful=doubtful,
            reasons=tuple(
                reason
                for reason in REASONS
                if reason not in _OF_DIGITS
                and 2 * sum(reason in each.reasons for each in voters) > len(voters)
            ),
        )
        return with_reasons(line), count / frames

    def _digit(self, digits: Sequence[Digit]) -> Digit:
        """Pool the opinions of some frames on one digit.

        The mean of their probabilities is what they say together, doubts and contradictions included. Since
        each saw the sheet with a noise of its own, n of them count as 1 + independence · (n − 1).
        """
        opinions = [_opinion(digit) for digit in digits]
        labels = {label for opinion in opinions for label in opinion}
        settings = self._settings
        weight = min(settings.most_weight, 1 + settings.independence * (len(digits) - 1))
        pooled = {label: _mean([opinion.get(label, 0.0) for opinion in opinions]) for label in labels}
        # What was not named is taken for one more label, which is rather too cautious than too sure.
        rest = max(0.0, 1 - sum(pooled.values())) ** weight
        parts = {label: part**weight for label, part in pooled.items()}
        total = sum(parts.values()) + rest
        ranked = sorted(((part / total, label) for label, part in parts.items()), reverse=True)
        confidence, label = ranked[0]
        refused = 2 * sum(digit.rejected for digit in digits) > len(digits)
        # The frames refused it for a reason of their own if they did so at a confidence that suffices.
        reason = refused and _mean([d.confidence for d in digits]) >= self._rule.min_digit_confidence
        rejected = reason or confidence < self._rule.min_digit_confidence
        others = tuple((name, part) for part, name in (ranked if rejected else ranked[1:]))[:3]
        return Digit(REJECTED if rejected else label, confidence, digits[-1].box, others)

    # --- the same sheet, or another? ---

    def _is_sheet(self, lines: Sequence[Line]) -> bool:
        """Whether what is seen is, in part at least, the sheet that was reported."""
        assert self._reported is not None
        return any(
            _overlap(line.box, known.box) >= 0.3 or _same_text(line.text, known.text)
            for line in lines
            for known in self._reported.lines
        )

    def _differs(self, lines: Sequence[Line]) -> bool:
        """Whether a frame says something else than what was reported, for whatever reason."""
        assert self._reported is not None
        known = self._reported.lines
        return len(lines) != len(known) or any(
            not _same_text(line.text, other.text) for line, other in zip(lines, known, strict=True)
        )

    def _is_another(self, sighting: Sighting) -> bool:
        """Whether a sheet read now is another than the one reported before it, without a gap between them.

        The light alone may turn a digit into another; it does not turn most of them, and it moves nothing.
        """
        assert self._reported is not None
        if not self._differs(sighting.lines):
            return False
        known = list(self._reported.lines)
        length = different = placed = 0
        for line in sighting.lines:
            length += len(line.text)
            nearest = max(known, key=lambda other: _overlap(line.box, other.box))
            if _overlap(line.box, nearest.box) >= 0.7:
                placed += 1
                different += _distance(line.text, nearest.text)
            else:
                different += min(_distance(line.text, other.text) for other in known)
        if not different:
            return False  # part of what is known
        here = placed == len(sighting.lines)
        return different > 0.5 * length or (not here and self._moved) or (self._moved and sighting.accepted)


_OF_DIGITS: tuple[Reason, ...] = ("digit", "doubtful", "confidence")
"""Reasons that the frames' digits, taken together, tell anew."""


def _opinion(digit: Digit) -> dict[str, float]:
    """Return the probabilities a reading gave, by label."""
    opinion = dict(digit.alternatives)
    if not digit.rejected:
        opinion[digit.label] = digit.confidence
    return opinion


def _clusters(pages: Sequence[Page]) -> list[list[Line]]:
    """Gather the lines of some frames that lie at the same place, in reading order."""
    clusters: list[list[Line]] = []
    for page in reversed(pages):
        free = list(clusters)
        place = 0  # a line that later frames miss stands after the one it followed
        for line in page.lines:
            best = max(free, key=lambda cluster: _overlap(cluster[0].box, line.box), default=None)
            if best is not None and _overlap(best[0].box, line.box) >= 0.5:
                best.insert(0, line)
                free = [cluster for cluster in free if cluster is not best]
                place = next(k for k, cluster in enumerate(clusters) if cluster is best) + 1
            else:
                clusters.insert(place, [line])
                place += 1
    return clusters


def _drift(clusters: Sequence[Sequence[Line]]) -> float:
    """Return how far the lines moved from their first half of frames to the second, in digit heights."""
    moves = []
    for cluster in clusters:
        halves = cluster[: len(cluster) // 2], cluster[len(cluster) // 2 :]
        if not halves[0]:
            continue
        (x0, y0), (x1, y1) = (
            [_mean([(line.box[axis] + line.box[axis + 2] / 2) for line in half]) for axis in (0, 1)]
            for half in halves
        )
        moves.append(math.hypot(x1 - x0, y1 - y0) / max(1, cluster[-1].box[3]))
    # One line whose box flickers, as where a dot comes and goes, does not make the sheet move.
    return sorted(moves)[len(moves) // 2] if moves else 0.0


def _overlap(a: Box, b: Box) -> float:
    """Return the area two boxes share, as part of the area they cover together, 0…1."""
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / (a[2] * a[3] + b[2] * b[3] - wide * high)


def _same_text(a: str, b: str) -> bool:
    return len(a) == len(b) and _distance(a, b) == 0


def _distance(a: str, b: str) -> int:
    """Return the edit distance of two texts; a rejected digit is as good as any other."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            same = left == right or REJECTED in (left, right)
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (not same))
    return row[-1]


def _product(line: Line) -> float:
    return math.prod(digit.confidence for digit in line.digits)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
