"""Two pictures by their pixels: the same, hardly apart (another font renderer), or different; and where.

Compared are colours on a white ground, so that metadata, compression and transparent borders do not count. A pixel
counts as changed when one of its channels moves by more than 16 of 255: less is how text and lines are smoothed.
Pictures hardly apart have at most one changed pixel in a hundred.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHANGED = 16  # of 255, in one channel
HARDLY = 0.01  # share of the pixels


@dataclass(frozen=True, slots=True)
class PixelDifference:
    """How far two pictures are apart."""

    size: tuple[int, int]  # width, height
    size_again: tuple[int, int]
    same: bool  # every pixel
    share: float  # of the pixels that changed
    box: tuple[int, int, int, int] | None  # left, top, right, bottom of what changed

    @property
    def hardly(self) -> bool:
        return self.size == self.size_again and self.share <= HARDLY

    def text(self) -> str:
        if self.size != self.size_again:
            return "{}x{} pixels recorded, {}x{} now".format(*self.size, *self.size_again)
        if self.same:
            return "the same pixels"
        if self.box is None:
            return "pixels differ by less than the eye sees"
        left, top, right, bottom = self.box
        return f"{self.share:.2%} of the pixels changed, between ({left}, {top}) and ({right}, {bottom})"


def compare_pictures(old: bytes, new: bytes) -> PixelDifference:
    """Two PNG pictures, pixel by pixel."""
    import numpy as np

    a, b = _pixels(old), _pixels(new)
    size, again = (a.shape[1], a.shape[0]), (b.shape[1], b.shape[0])
    if size != again:
        return PixelDifference(size, again, False, 1.0, None)
    apart = np.abs(a.astype(np.int16) - b.astype(np.int16)).max(axis=2)
    changed = apart > CHANGED
    box = None
    if changed.any():
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return PixelDifference(size, again, not apart.any(), float(changed.mean()), box)


def difference_png(old: bytes, new: bytes) -> bytes | None:
    """The newer picture in grey with what changed in vermillion; None when the sizes differ."""
    import numpy as np
    from PIL import Image

    a, b = _pixels(old), _pixels(new)
    if a.shape != b.shape:
        return None
    changed = np.abs(a.astype(np.int16) - b.astype(np.int16)).max(axis=2) > CHANGED
    grey = (255 - (255 - b.mean(axis=2)) * 0.35).astype(np.uint8)
    out = np.stack([grey, grey, grey], axis=2)
    out[changed] = (213, 94, 0)
    buffer = io.BytesIO()
    Image.fromarray(out).save(buffer, format="png")
    return buffer.getvalue()


def _pixels(data: bytes) -> Any:
    import numpy as np
    from PIL import Image

    picture = Image.open(io.BytesIO(data)).convert("RGBA")
    white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, picture).convert("RGB"))


def same_drawing(old: Path, new: Path) -> bool:
    """Two plotly figures by what they draw: equal JSON but for the ids that plotly draws anew."""
    return bool(_without_ids(json.loads(old.read_text())) == _without_ids(json.loads(new.read_text())))


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_ids(item) for key, item in value.items() if key != "uid"}
    return [_without_ids(item) for item in value] if isinstance(value, list) else value
