"""Charts: small, deterministic PNGs, and nothing drawn from nothing."""

from io import BytesIO

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from tests.notifications.month_example import example_history, example_signals, example_verdict
from trading.notifications.charts import evidence_chart, nav_chart, scores_chart

HISTORY, SIGNALS, VERDICT = example_history(), example_signals(), example_verdict()
CHARTS = {
    "nav": lambda: nav_chart(HISTORY),
    "scores": lambda: scores_chart(SIGNALS),
    "evidence": lambda: evidence_chart(VERDICT),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_small_and_always_the_same(name):
    first = CHARTS[name]()
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "figure.dpi": 10}):
        again = CHARTS[name]()

    image = Image.open(BytesIO(first))
    assert image.format == "PNG"
    assert image.width == 960
    assert len(first) < 60_000
    assert not image.info.keys() & {"Software", "Creation Time", "date"}
    assert again == first


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_shows_something_on_an_opaque_ground(name):
    pixels = np.asarray(Image.open(BytesIO(CHARTS[name]())).convert("RGBA"))

    assert (pixels[..., 3] == 255).all()
    assert (pixels[..., :3] == 255).all(axis=-1).mean() > 0.5
    assert (pixels[..., :3] < 128).any(axis=-1).mean() > 0.01


def test_the_data_decides_the_picture():
    moved = (*HISTORY[:-1], HISTORY[-1].model_copy(update={"nav": 2.0}))

    assert nav_chart(moved) != nav_chart(HISTORY)


def test_where_there_is_no_data_there_is_no_chart():
    assert nav_chart(HISTORY[:1]) is None
    assert nav_chart(()) is None
    assert scores_chart([s for s in SIGNALS if s.weight == 0]) is None
    assert evidence_chart(VERDICT.model_copy(update={"figures": {}})) is None
    unknown = {name: {"sharpe": None, "months": 2} for name in VERDICT.figures}
    assert evidence_chart(VERDICT.model_copy(update={"figures": unknown})) is None


def test_gaps_and_odd_values_are_drawn():
    gaps = tuple(
        point.model_copy(update={"benchmark": None if i % 2 else point.benchmark})
        for i, point in enumerate(HISTORY)
    )
    flat = [
        s.model_copy(update={"score": 0.0, "symbol": f"$A_{i}$"}) for i, s in enumerate(SIGNALS)
    ]
    partial = {name: {"sharpe": -1.0, "annual_return": None} for name in VERDICT.figures}

    assert nav_chart(gaps)
    assert nav_chart(HISTORY[:2])
    assert scores_chart(flat)
    assert scores_chart(flat[:1])
    assert evidence_chart(VERDICT.model_copy(update={"figures": partial}))
