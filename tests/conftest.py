"""What all tests share: a cache folder of the session's own, so that no test reads or writes the user's."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory):
    """The folder where glyphs are rendered once per session."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEWSHOT_NP_CACHE", str(folder))
        yield folder
