"""Pictures without a digit, of kinds the networks never saw in training, for tests and the bench.

Each kind is a function from a seed to a picture, uint8, H×W or H×W×3. Fonts: OpenCV's Hershey scripts and the
Computer Modern fonts that come with matplotlib (training draws its letters with others). Photographs: the
portrait that comes with matplotlib (public domain) and the two pictures that come with scikit-learn (CC BY).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]

_TEXT = """
the quick brown fox jumps over a lazy dog while every good boy deserves fudge and we promptly judged antique
ivory buckles for the next prize amazingly few discotheques provide jukeboxes Sphinx of black quartz judge my
vow Dear Madam with kind regards yours sincerely received payment amount customer meter reading street Winter
Kaffee Hamburg Lisboa rua jardim
"""
WORDS = tuple(_TEXT.split())

_SCRIPTS = (cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, cv2.FONT_HERSHEY_SCRIPT_COMPLEX)
_PRINT = ("cmr10.ttf", "cmss10.ttf", "cmtt10.ttf", "cmb10.ttf")


def _sheet(rng: np.random.Generator, height: int = 480, width: int = 640) -> Picture:
    """Return paper under uneven light, with noise, H×W×3."""
    level = rng.uniform(170, 240)
    across = np.linspace(-1, 1, width) * rng.uniform(-25, 25)
    down = np.linspace(-1, 1, height)[:, None] * rng.uniform(-25, 25)
    grey = level + across + down + rng.normal(0, 2, (height, width))
    tint = rng.uniform(0.92, 1.0, 3)
    return np.clip(grey[..., None] * tint, 0, 255).astype(np.uint8)


def _ink(rng: np.random.Generator) -> tuple[int, int, int]:
    return tuple(int(v) for v in rng.integers(10, 90, 3))  # type: ignore[return-value]


def blank(seed: int) -> Picture:
    return _sheet(np.random.default_rng(seed))


def script(seed: int) -> Picture:
    """Words as if by hand, each letter its own size and place, no digit among them."""
    rng = np.random.default_rng(seed)
    image = _sheet(rng)
    font, size, ink = _SCRIPTS[seed % 2], rng.uniform(1.0, 1.8), _ink(rng)
    pen = int(rng.integers(2, 4))
    y = int(60 * size)
    while y < 460:
        x = int(rng.integers(15, 60))
        while x < 520:
            for letter in str(rng.choice(WORDS)):
                own = size * rng.uniform(0.9, 1.1)
                wide = cv2.getTextSize(letter, font, own, pen)[0][0]
                cv2.putText(
                    image, letter, (x, y + int(rng.integers(-3, 4))), font, own, ink, pen, cv2.LINE_AA
                )
                x += wide + int(rng.integers(-3, 3))
            x += int(18 * size)
        y += int(rng.uniform(42, 55) * size)
    return image


def printed(seed: int) -> Picture:
    """A page of print."""
    rng = np.random.default_rng(seed)
    return _print(rng, " ".join, rng.uniform(16, 34))


def letters(seed: int) -> Picture:
    """Single capitals, well apart, as in the boxes of a form; none that is drawn like a digit."""
    rng = np.random.default_rng(seed)
    plain = list("ACEFHJKLMNPRTUVWXY")
    return _print(rng, lambda _: "   ".join(rng.choice(plain, 8)), rng.uniform(28, 48))


def _print(rng: np.random.Generator, words: Callable[[list[str]], str], size: float) -> Picture:
    import matplotlib

    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    font = ImageFont.truetype(str(fonts / str(rng.choice(_PRINT))), round(size))
    image = Image.fromarray(_sheet(rng))
    draw = ImageDraw.Draw(image)
    y = 20.0
    while y < 460 - size:
        text = words(list(rng.choice(WORDS, 12)))
        while draw.textlength(text, font=font) > 600:
            text = text[:-1]
        draw.text((20, y), text.rstrip(), font=font, fill=_ink(rng))
        y += 1.5 * size
    return np.asarray(image, np.uint8)


def drawing(seed: int) -> Picture:
    """Lines, polygons, arrows and open curves: a sketch."""
    rng = np.random.default_rng(seed)
    image, ink = _sheet(rng), _ink(rng)
    for _ in range(int(rng.integers(6, 14))):
        pen = int(rng.integers(2, 5))
        at = rng.integers([40, 40], [600, 440], (int(rng.integers(3, 6)), 2))
        kind = rng.integers(4)
        if kind == 0:
            cv2.polylines(image, [at], True, ink, pen, cv2.LINE_AA)
        elif kind == 1:
            cv2.arrowedLine(image, at[0].tolist(), at[1].tolist(), ink, pen, cv2.LINE_AA)
        elif kind == 2:
            cv2.rectangle(image, at[0].tolist(), at[1].tolist(), ink, pen)
        else:
            t = np.linspace(0, rng.uniform(2, 9), 80)
            wave = at[0] + np.stack([25 * t, 20 * np.sin(t * rng.uniform(1, 3))], 1)
            cv2.polylines(image, [wave.astype(np.int32)], False, ink, pen, cv2.LINE_AA)
    return image


def drawn_face(seed: int) -> Picture:
    rng = np.random.default_rng(seed)
    image, ink = _sheet(rng), _ink(rng)
    for _ in range(int(rng.integers(1, 4))):
        x, y = (int(v) for v in rng.integers([120, 120], [520, 360]))
        r = int(rng.integers(50, 110))
        pen = int(rng.integers(2, 5))
        cv2.ellipse(image, (x, y), (r, int(1.2 * r)), 0, 0, 360, ink, pen, cv2.LINE_AA)
        for side in (-1, 1):
            eye = (x + side * int(0.4 * r), y - int(0.3 * r))
            cv2.ellipse(image, eye, (int(0.18 * r), int(0.1 * r)), 0, 0, 360, ink, pen, cv2.LINE_AA)
            cv2.circle(image, eye, max(2, int(0.05 * r)), ink, -1, cv2.LINE_AA)
            brow = (eye[0], eye[1] - int(0.1 * r))
            cv2.ellipse(image, brow, (int(0.2 * r), int(0.12 * r)), 0, 200, 340, ink, pen, cv2.LINE_AA)
        cv2.line(image, (x, y - int(0.1 * r)), (x - int(0.1 * r), y + int(0.2 * r)), ink, pen, cv2.LINE_AA)
        mouth = (x, y + int(0.4 * r))
        cv2.ellipse(image, mouth, (int(0.4 * r), int(0.25 * r)), 0, 20, 160, ink, pen, cv2.LINE_AA)
    return image


def qr_code(seed: int) -> Picture:
    rng = np.random.default_rng(seed)
    text = "https://example.org/" + "".join(rng.choice(list("abcdefghij"), int(rng.integers(5, 60))))
    code = cv2.QRCodeEncoder.create().encode(text)
    size = int(rng.integers(150, 400))
    code = cv2.resize(code, (size, size), interpolation=cv2.INTER_NEAREST)
    return _placed(rng, code)


def barcode(seed: int) -> Picture:
    """Bars of one to four modules, black and white in turn (Code 128 has such)."""
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, 5, 61) * int(rng.integers(2, 4))
    bars = np.repeat(np.arange(61) % 2 * 255, widths).astype(np.uint8)[:600]
    return _placed(rng, np.repeat(bars[None], int(rng.integers(60, 160)), axis=0))


def _placed(rng: np.random.Generator, code: NDArray[np.uint8]) -> Picture:
    sheet = _sheet(rng)
    y = int(rng.integers(0, sheet.shape[0] - code.shape[0] + 1))
    x = int(rng.integers(0, sheet.shape[1] - code.shape[1] + 1))
    part = sheet[y : y + code.shape[0], x : x + code.shape[1]]
    part[code < 128] = 30
    return np.asarray(cv2.GaussianBlur(sheet, (3, 3), 0), np.uint8)


def wood(seed: int) -> Picture:
    """A desk: grain along the planks, a knot, joints."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:480, 0:640].astype(np.float32)
    slow = cv2.resize(rng.normal(0, 1, (6, 9)).astype(np.float32), (640, 480), interpolation=cv2.INTER_CUBIC)
    knot = np.hypot(x - rng.uniform(100, 540), 2 * (y - rng.uniform(100, 380)))
    rings = y + 12 * slow + 60 * np.exp(-knot / 80)
    fine = cv2.GaussianBlur(rng.normal(0, 1, (480, 640)).astype(np.float32), (0, 0), 6, sigmaY=0.6)
    grey = 120 + 18 * np.sin(rings / rng.uniform(3, 9)) + 60 * fine
    grey[:: int(rng.integers(90, 200))] -= 50
    tone = np.array([0.55, 0.8, 1.0])
    return np.clip(grey[..., None] * tone, 0, 255).astype(np.uint8)


def noise(seed: int) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (480, 640), np.uint8)


def specks(seed: int) -> Picture:
    """A thousand specks of all sizes up to a small digit's."""
    rng = np.random.default_rng(seed)
    sheet = _sheet(rng)
    for _ in range(1000):
        axes = rng.uniform(0.5, 4, 2) * (2.5 if rng.random() < 0.05 else 1)
        at, turn = rng.integers([0, 0], [640, 480]).tolist(), float(rng.uniform(0, 180))
        cv2.ellipse(sheet, at, [max(1, round(v)) for v in axes], turn, 0, 360, _ink(rng), -1, cv2.LINE_AA)
    return sheet


def edge(seed: int) -> NDArray[np.uint8]:
    """Return an edge between light and dark, as of a door or a shadow: sharp or soft, in any size."""
    rng = np.random.default_rng(seed)
    height, width = ((64, 260), (100, 100), (40, 200), (200, 120), (480, 640), (30, 60))[seed % 6]
    y, x = np.mgrid[:height, :width]
    turn, at = rng.uniform(-np.pi, np.pi), rng.uniform(-0.1, 1.1) * width
    off = (x - at) * np.cos(turn) + (y - height / 2) * np.sin(turn)
    soft = rng.uniform(0.5, 30) * height / 64
    light, dark = rng.uniform(120, 255), rng.uniform(20, 120)
    grey = dark + (light - dark) / (1 + np.exp(np.clip(off / soft, -50, 50)))
    return np.clip(grey + rng.normal(0, rng.choice([0, 0, 2, 4]), grey.shape), 0, 255).astype(np.uint8)


def photograph(seed: int) -> Picture:
    """A part of a real photograph: a woman's portrait, a temple, a flower."""
    import matplotlib
    import sklearn.datasets

    rng = np.random.default_rng(seed)
    samples = Path(matplotlib.get_data_path()) / "sample_data"
    pictures = Path(str(sklearn.datasets.__file__)).parent / "images"
    files = [samples / "grace_hopper.jpg", pictures / "china.jpg", pictures / "flower.jpg"]
    image = np.asarray(Image.open(files[seed % 3]).convert("RGB"), np.uint8)[..., ::-1]
    if seed >= 3:  # the first three are the whole pictures
        height, width = (int(v * rng.uniform(0.4, 0.9)) for v in image.shape[:2])
        y, x = int(rng.integers(image.shape[0] - height)), int(rng.integers(image.shape[1] - width))
        image = image[y : y + height, x : x + width]
        if rng.random() < 0.5:
            image = image[:, ::-1]
    return np.ascontiguousarray(image)


KINDS: dict[str, Callable[[int], Picture]] = {
    "blank": blank,
    "script": script,
    "printed": printed,
    "letters": letters,
    "drawing": drawing,
    "drawn_face": drawn_face,
    "photograph": photograph,
    "qr_code": qr_code,
    "barcode": barcode,
    "wood": wood,
    "noise": noise,
    "specks": specks,
}
"""Every kind by its name."""


def clothes(folder: Path, count: int) -> list[Picture]:
    """Return pictures of clothes that training never saw, enlarged, dark on light; of the set `negatives`."""
    from edgedigits_train.data import negatives_part

    images = np.load(folder / "fashion.npz")["images"]
    chosen = negatives_part(len(images), training=False)[:count]
    return [
        np.asarray(255 - cv2.resize(images[k], (280, 280), interpolation=cv2.INTER_CUBIC), np.uint8)
        for k in chosen
    ]
