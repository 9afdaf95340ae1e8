"""A page in headless Chromium."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager

import pytest
from page_samples import VIEWS

_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1280,900")
_PIECES = """
const found = [];
for (const text of document.querySelectorAll("#row .text")) {
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) found.push([walker.currentNode.parentElement.className, walker.currentNode.data]);
}
return found;
"""


def _missing(reason):
    if os.environ.get("MASKPREP_NEEDS_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def chromium():
    """Start Chromium; skip the test, with the reason, where there is none."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if not browser or not chromedriver:
        _missing("no chromium or no chromedriver on the path")
    try:
        from selenium import webdriver
    except ImportError:
        _missing("selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for option in _OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """A page that is open."""

    def __init__(self, driver):
        self.driver = driver
        self.run = driver.execute_script

    def open(self, path, place=""):
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get(path.as_uri() + place)
        self.wait("return 'ready' in document.documentElement.dataset || document.body.innerText.includes('cannot')")
        return self

    def wait(self, condition):
        end = time.monotonic() + 20
        while not (found := self.run(condition)):
            assert time.monotonic() < end, condition
            time.sleep(0.01)
        return found

    def show(self, view):
        """Open a row as a link to it does."""
        self.run("location.hash = arguments[0]", f"#row-{VIEWS.index(view)}")
        self.wait(f"return shown.row && shown.row.number === {view.number}")

    def show_place(self, place):
        """Open the row at a place of the page."""
        self.run("location.hash = arguments[0]", f"#row-{place}")
        self.wait(f"return shown.row && shown.row.place === {place}")

    def keys(self, *keys):
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def click(self, selector):
        self.run("return document.querySelector(arguments[0])", selector).click()

    def painted(self):
        """Wait until all that has been done is on the screen.

        Blocks of a row that no frame has drawn yet have no innerText (`content-visibility: auto`). The second call
        comes after the frame that the first one begins.
        """
        self.run("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def text(self, selector):
        """Return the text that a reader sees."""
        self.painted()
        return self.run("return document.querySelector(arguments[0]).innerText", selector)

    def pieces(self):
        """Return the text nodes of the row that is shown, each with the classes of its element."""
        return self.run(_PIECES)

    def row(self):
        """Return the bytes of the row that is shown, with what is spelt out mapped back."""
        found = b""
        for name, text in self.pieces():
            names = name.split()
            if "spelt" in names:
                found += text.encode("ascii").decode("unicode_escape").encode()
            elif "bytes" in names:
                found += bytes.fromhex(text.strip("‹›"))
            elif "empty" not in names:
                found += text.encode()
        return found

    def point_at(self, unit):
        """Move the pointer to the middle of a unit; return what the panel then says of it."""
        from selenium.webdriver.common.actions.action_builder import ActionBuilder

        self.run("showUnit(-1); reveal(rangeOfUnit(arguments[0]))", unit)
        self.painted()  # blocks that come into view take their own height, and move those below
        box = self.run(
            "const b = rangeOfUnit(arguments[0]).getClientRects()[0]; return [b.x, b.y, b.width, b.height]", unit
        )
        actions = ActionBuilder(self.driver)
        actions.pointer_action.move_to_location(int(box[0] + box[2] / 2), int(box[1] + box[3] / 2))
        actions.perform()
        self.wait("return current >= 0")
        return self.panel()

    def panel(self):
        return self.run(
            "const facts = [...document.querySelectorAll('.fact')];"
            "return {...Object.fromEntries(facts.map((f) => [...f.children].map((part) => part.textContent))),"
            "        what: document.querySelector('.what').textContent}"
        )
