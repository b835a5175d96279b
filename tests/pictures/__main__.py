"""Make a site with a past and take the pictures: ``python -m tests.pictures [DIRECTORY]``, by default docs/pictures."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, sync_playwright

from tests import live
from tests.browser.conftest import CHROMIUM_NAMES, CHROMIUM_OPTIONS, log_in
from tests.live import BASE_DIR, Server

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.pictures.settings"}
WIDE, NARROW = 1280, 360
JOBS = "/admin/django_apscheduler/djangojob/"


@dataclass(frozen=True)
class Picture:
    """A page as somebody sees it; ``height`` 0 is all of it."""

    name: str
    address: str
    width: int = WIDE
    scheme: str = "light"
    height: int = 0
    #: A link of that page which is followed first, by CSS.
    link: str = ""


PICTURES = (
    Picture("overview", "/admin/django_apscheduler/djangojob/overview/"),
    Picture("overview-dark", "/admin/django_apscheduler/djangojob/overview/", scheme="dark"),
    Picture("jobs", JOBS),
    Picture("jobs-narrow", JOBS, NARROW, height=900),
    Picture("job", f"{JOBS}back-up-the-tables/change/"),
    Picture("calendar", f"{JOBS}calendar/?view=week"),
    Picture("failures", "/admin/app_scheduler/failuregroup/"),
    Picture(
        "execution",
        "/admin/django_apscheduler/djangojobexecution/?status=Error%21",
        link="#result_list a[href*='/change/']",
    ),
)


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)))
    with TemporaryDirectory() as given, live.site("sqlite", Path(given)) as site, sync_playwright() as playwright:
        site.manage("shell", "-c", "from tests.pictures.scene import make; make()", env=SETTINGS)
        server = site.gunicorn(env=SETTINGS)
        server.api("POST", "jobs/back-up-the-tables/run/", {"kwargs": {"seconds": 300}})
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        for picture in PICTURES:
            for page in _open(browser, server, picture):
                page.screenshot(path=directory / f"{picture.name}.png", full_page=not picture.height)
                print(f"{picture.name}.png")
        browser.close()


def _open(browser: Browser, server: Server, picture: Picture) -> Iterator[Page]:
    """Yield the page of a picture, in a browser of its own, while it is open."""
    context = browser.new_context(
        base_url=server.url,
        viewport={"width": picture.width, "height": picture.height or 900},
        color_scheme="dark" if picture.scheme == "dark" else "light",
        timezone_id="Australia/Sydney",
        locale="en-AU",
    )
    page = context.new_page()
    log_in(page)
    page.goto(picture.address)
    if picture.link:
        page.locator(picture.link).first.click()
    page.wait_for_load_state("networkidle")
    yield page
    context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else BASE_DIR / "docs" / "pictures")
