"""One browser for all tests of a size, and one server of the page."""

import pytest

from tests.playground.browser import open_browser, served


@pytest.fixture(scope="session")
def address():
    with served() as address:
        yield address


@pytest.fixture(scope="session")
def desktop():
    with open_browser("desktop") as driver:
        yield driver


@pytest.fixture(scope="session")
def phone():
    with open_browser("phone") as driver:
        yield driver
