"""A real browser on a real server. The site's data is reached through its pages and its API only."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from tests import live
from tests.live import BASE_DIR, PASSWORD, USERNAME, Server, wait_until

EXECUTIONS = "/admin/django_apscheduler/djangojobexecution/"
#: A look comes every few seconds, and what a run tells is written every two.
SOON = 20_000
SCREENSHOTS = BASE_DIR / "var" / "screenshots"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

_failed = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("SKIP_BROWSER") != "1":
        return
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.skip(reason="SKIP_BROWSER=1"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[_failed] = True
    return report


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the browser's path, which CHROMIUM may name."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if not found:
        pytest.fail(
            "There is no Chromium here: install it (apt-get install chromium), name it in CHROMIUM,"
            " or leave the browser tests out with SKIP_BROWSER=1.",
            pytrace=False,
        )
    return found


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def live_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server with a SQLite file of its own, a superuser admin/admin and the scheduler running."""
    with live.site("sqlite", tmp_path_factory.mktemp("live")) as made:
        yield made.gunicorn()


@pytest.fixture
def context(browser: Browser, live_site: Server) -> Iterator[BrowserContext]:
    made = browser.new_context(base_url=live_site.url, viewport={"width": 1280, "height": 900}, locale="en-US")
    made.set_default_timeout(10_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Yield a page of a browser that nobody has logged in with. An error of a script on it fails the test."""
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    if request.node.stash.get(_failed, False):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^\w.-]+", "-", request.node.name)
        file = SCREENSHOTS / f"{name}.png"
        opened.screenshot(path=file, full_page=True)
        print(f"screenshot: {file.relative_to(BASE_DIR)}, of {opened.url}")
    assert not errors, f"scripts of the page failed: {errors}"


@pytest.fixture
def admin_page(page: Page) -> Page:
    """Return a page logged in as the superuser, at the admin's index."""
    log_in(page)
    return page


@pytest.fixture
def plain_page(browser: Browser, live_site: Server) -> Iterator[Page]:
    """Yield a page of a browser that runs no scripts, logged in as the superuser."""
    made = browser.new_context(base_url=live_site.url, java_script_enabled=False, locale="en-US")
    made.set_default_timeout(10_000)
    page = made.new_page()
    log_in(page)
    yield page
    made.close()


@pytest.fixture(params=["light", "dark", "narrow", "without scripts"])
def reader(request: pytest.FixtureRequest, browser: Browser, read_site: Server) -> Iterator[Page]:
    """Yield a page of each kind of browser, logged in as the superuser at ``read_site``, which a module has."""
    made = browser.new_context(
        base_url=read_site.url,
        java_script_enabled=request.param != "without scripts",
        viewport={"width": 360 if request.param == "narrow" else 1280, "height": 900},
        color_scheme="dark" if request.param == "dark" else "light",
        locale="en-US",
    )
    made.set_default_timeout(20_000)
    page = made.new_page()
    log_in(page)
    yield page
    made.close()


def log_in(page: Page, username: str = USERNAME, password: str = PASSWORD) -> None:
    page.goto("/admin/login/?next=/admin/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")


# --- pages that refresh themselves ---------------------------------------------------------------------------------


class Followed:
    """A run that goes as far as the test says."""

    def __init__(self, server: Server, job_id: str, file: Path) -> None:
        self.server, self.job_id, self.file = server, job_id, file
        document = {
            "id": job_id,
            "name": job_id.title(),
            "function": "tests.probe.jobs.follow",
            "kwargs": {"path": str(file), "total": 40},
            "trigger": "every 9h",
        }
        assert server.api("POST", "jobs/", document).status == 201
        assert server.api("POST", f"jobs/{job_id}/run/", {}).status < 300
        self.pk: int = wait_until(self._started, what=f"the start of {job_id}")

    def _started(self) -> int:
        rows = self.server.api("GET", f"executions/?job={self.job_id}").json["results"]
        return rows[0]["id"] if rows and rows[0]["status"] == "Started execution" else 0

    def go(self, how_far: int | str) -> None:
        self.file.write_text(str(how_far))

    @property
    def url(self) -> str:
        return f"{EXECUTIONS}{self.pk}/change/"


@pytest.fixture
def follow(live_site: Server, tmp_path: Path) -> Iterator[Callable[[str], Followed]]:
    """Return a maker of runs that the test leads; they end with it."""
    made: list[Followed] = []

    def make(job_id: str) -> Followed:
        made.append(Followed(live_site, job_id, tmp_path / job_id))
        return made[-1]

    yield make
    for run in made:
        run.go("end")


@pytest.fixture
def looks(admin_page: Page) -> list[Request]:
    """Return the looks of the page, which grow."""
    seen: list[Request] = []
    admin_page.on("request", lambda request: seen.append(request) if "hx-target" in request.headers else None)
    return seen


def look_now(page: Page) -> None:
    """Have the page look at once, as it does when its tab is shown again."""
    with page.expect_response(lambda response: "hx-target" in response.request.headers):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_function("!document.querySelector('.htmx-request')")


def expect_fits(page: Page) -> None:
    """See that nothing leaves the window at its sides, once the page has its styles: it may just have been gone to."""
    page.wait_for_load_state()
    page.wait_for_function("document.documentElement.scrollWidth <= window.innerWidth", timeout=SOON)


def axe(page: Page) -> None:
    page.add_style_tag(content="* { transition: none !important; }")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found = Axe().run(page, context="#content").response["violations"]
        assert not found, (scheme, [(each["id"], [node["html"] for node in each["nodes"]]) for each in found])
