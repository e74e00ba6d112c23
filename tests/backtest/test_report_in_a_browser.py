"""The tear sheet as a browser draws it: nothing sticks out, is fetched or fails to show."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.backtest.report_runs import MADE_AT, RUN, ordinary_run, run_weights, walk_feed
from trading.backtest.report.curves import BenchmarkReturns
from trading.backtest.report.evidence import Evidence
from trading.backtest.report.page import render_page
from trading.backtest.result import BacktestResult

CHROMIUM = shutil.which("chromium")
SWITCHES = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing: run `make browser`"),
]
RUNS = {
    "ordinary": lambda: ordinary_run(600),
    "hostile": lambda: ordinary_run(
        300, ("W" * 200, "</td><script>document.title='x'</script>", "株式会社", "D D")
    ),
    "one session": lambda: ordinary_run(1),
    "idle": lambda: run_weights(walk_feed(30), np.zeros((1, 4))),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=RUNS)
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    result: BacktestResult = RUNS[request.param]()
    benchmark = BenchmarkReturns("B", 0.0 * result.session_returns + 0.0004)
    html = render_page(result, Evidence.of(result, benchmark), RUN, MADE_AT)
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(html, encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [360, 390, 768, 1200])
def test_nothing_sticks_out_and_every_image_shows(browser: Browser, file: Path, width: int) -> None:
    page: Any = browser.new_page(viewport={"width": width, "height": 900})
    asked: list[str] = []
    told: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert page.title() == "SIMULATED – Backtest of instructions"
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert told == []
    page.close()
