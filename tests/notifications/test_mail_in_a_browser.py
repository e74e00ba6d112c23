"""The mail as a browser draws it: nothing sticks out on a phone, every image is inside."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.notifications.month_example import example_report
from trading.config import NotificationSettings
from trading.notifications.mail import render
from trading.notifications.preview import to_preview_html

CHROMIUM = shutil.which("chromium")
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing: run `make browser`"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        yield opened
        opened.close()


def shown(browser: Browser, width: int, html: str) -> Any:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.set_content(html)
    return page


@pytest.fixture(scope="module")
def html() -> str:
    settings = NotificationSettings()
    return to_preview_html(render(example_report(), settings, settings.recipients[0]))


@pytest.mark.parametrize("width", [360, 390, 800])
def test_nothing_sticks_out(browser: Browser, html: str, width: int) -> None:
    page = shown(browser, width, html)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_image_is_drawn_from_inside_the_mail(browser: Browser, html: str) -> None:
    page = shown(browser, 800, html)
    images = page.evaluate("[...document.images].map(i => [i.src.slice(0, 5), i.naturalWidth])")
    assert len(images) == 3
    assert all(source == "data:" and drawn > 0 for source, drawn in images)


def test_the_mail_reads_without_its_images(browser: Browser, html: str) -> None:
    page = shown(browser, 390, html)
    page.evaluate("document.querySelectorAll('img').forEach(i => i.remove())")
    text = page.inner_text("body")
    for heading in ("Signals", "What changed since last month", "Model portfolio"):
        assert heading in text
