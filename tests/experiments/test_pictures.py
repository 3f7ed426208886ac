"""Pictures by their pixels: metadata and transparency do not count, smoothing hardly, another curve does."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from research.experiments.comparison import compare, overall
from research.experiments.pictures import compare_pictures, difference_png, same_drawing
from research.lineage.capsule import Capsule


def png(pixels, note="", mode=None):
    buffer = io.BytesIO()
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", note)
    Image.fromarray(pixels, mode).save(buffer, format="png", pnginfo=info)
    return buffer.getvalue()


@pytest.fixture
def white():
    return np.full((40, 100, 3), 255, dtype=np.uint8)


def test_metadata_and_a_transparent_ground_do_not_count(white):
    clear = np.dstack([np.zeros_like(white), np.zeros((40, 100), dtype=np.uint8)])
    assert compare_pictures(png(white), png(white, "made elsewhere")).same
    assert compare_pictures(png(white), png(clear)).same


def test_what_changed_is_measured_and_placed(white):
    other = white.copy()
    other[10:20, 30:70] = (0, 0, 0)
    apart = compare_pictures(png(white), png(other))
    assert (apart.same, apart.hardly, apart.share, apart.box) == (False, False, 0.1, (30, 10, 70, 20))
    assert apart.text() == "10.00% of the pixels changed, between (30, 10) and (70, 20)"
    shown = np.asarray(Image.open(io.BytesIO(difference_png(png(white), png(other)))))
    assert (shown[15, 50] == (213, 94, 0)).all()
    assert (shown[0, 0] == 255).all()


def test_smoothing_is_hardly_a_change(white):
    other = white.copy()
    other[5:35, 50] = 245
    apart = compare_pictures(png(white), png(other))
    assert (apart.same, apart.hardly, apart.text()) == (False, True, "pixels differ by less than the eye sees")


def test_another_size_is_another_picture(white):
    apart = compare_pictures(png(white), png(white[:20]))
    assert not apart.hardly
    assert apart.text() == "100x40 pixels recorded, 100x20 now"
    assert difference_png(png(white), png(white[:20])) is None


def test_a_drawing_is_the_same_but_for_the_ids_that_are_drawn_anew(tmp_path):
    one, two, three = (tmp_path / name for name in "abc")
    one.write_text(json.dumps({"data": [{"x": [1, 2], "uid": "a"}]}))
    two.write_text(json.dumps({"data": [{"uid": "b", "x": [1, 2]}]}))
    three.write_text(json.dumps({"data": [{"uid": "b", "x": [1, 3]}]}))
    assert same_drawing(one, two)
    assert not same_drawing(one, three)


def run(folder, data):
    folder.mkdir()
    (folder / "p.png").write_bytes(data)
    figures = {"p": {"path": "p.png", "sha256": str(hash(data))}}
    empty = {"metrics": {}, "tables": {}, "evidence": [], "model": None, "passed": None}
    return Capsule(raw={"results": {**empty, "figures": figures}}, folder=folder, record="")


def test_another_curve_is_not_reproduced_and_another_font_is(tmp_path, white):
    curve, font = white.copy(), white.copy()
    curve[10:20, 30:70] = 0
    font[0:3, 0:10] = 0
    recorded = run(tmp_path / "a", png(white))
    for name, data, verdict in (
        ("same", png(white, "x"), "REPRODUCED EXACTLY"),
        ("font", png(font), "REPRODUCED WITHIN TOLERANCE"),
        ("curve", png(curve), "NOT REPRODUCED"),
    ):
        assert overall(compare(recorded, run(tmp_path / name, data))) == verdict
