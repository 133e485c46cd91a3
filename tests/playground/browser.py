"""A headless Chromium for the tests of the page; they are skipped, with the reason, where it is missing."""

import importlib.util
import os
import shutil
import tempfile
import threading
from contextlib import contextmanager

import pytest

from fewshot_np.playground.server import make_server

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--force-color-profile=srgb")
SIZES = {"desktop": (1280, 1000), "phone": (390, 844)}


def browser_or_skip():
    """(the webdriver module, Chromium's path, ChromeDriver's path); FEWSHOT_NP_BROWSER in the environment forbids to
    skip, so that nobody believes that the page was tested where it was not."""
    skip = pytest.fail if os.environ.get("FEWSHOT_NP_BROWSER") else pytest.skip
    if importlib.util.find_spec("selenium") is None:
        skip('selenium is not installed (pip install -e ".[browser]")')
    paths = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in paths:
        skip("Chromium and ChromeDriver are not installed (apt-get install chromium chromium-driver)")
    from selenium import webdriver

    return webdriver, *paths


@contextmanager
def open_browser(size="desktop"):
    """A webdriver with an empty profile and a window of that size; everything that it loads is recorded."""
    webdriver, chromium, chromedriver = browser_or_skip()
    from selenium.webdriver.chrome.service import Service

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for flag in (*FLAGS, f"--user-data-dir={profile}", "--window-size={},{}".format(*SIZES["desktop"])):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options, Service(chromedriver))
        try:
            if size == "phone":
                width, height = SIZES["phone"]
                driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                    "width": width, "height": height, "deviceScaleFactor": 2, "mobile": True})
                driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
            driver.set_script_timeout(120)
            yield driver
        finally:
            driver.quit()


@contextmanager
def served(folder=None):
    """The address at which the page, or another folder, is served."""
    server = make_server() if folder is None else make_server(folder=folder)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
