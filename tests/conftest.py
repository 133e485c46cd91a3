"""What all tests share: a cache folder of the session's own, so that no test reads or writes the user's, and one
BLAS thread, as a lesson has that is run from the command line."""

import pytest
from threadpoolctl import threadpool_limits

from fewshot_np.nn.kernels import keep_freed_memory


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory):
    """The folder where glyphs are rendered once per session."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEWSHOT_NP_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread():
    """More would mostly wait for each other: the matrices are small. And memory is kept, as in a run."""
    keep_freed_memory()
    with threadpool_limits(1):
        yield
