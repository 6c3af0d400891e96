"""What tests of several directories share."""

import gc
import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.running import Proxy
from tests.support.slapd import Slapd, temporary_slapd
from tests.support.unmeasured import unmeasured

settings.register_profile("steady", max_examples=40, deadline=None, derandomize=True)
settings.register_profile("search", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("EXAMPLES", "steady"))
"""What passes once passes again; ``make search`` looks for what fails."""

LONGEST = (
    "tests/test_compiled.py",
    "tests/test_supervisor.py",
    "tests/docs/test_start.py",
    "tests/interop/test_sessions.py",
    "tests/interop/test_sessions_in_stores.py",
    "tests/test_tap.py",
    "tests/interop/test_revocations.py",
    "tests/test_plugins.py",
    "tests/interop/test_shared_state.py",
    "tests/interop/test_mod_oauth2_bound.py",
    "tests/interop/test_changes_under_load.py",
    "tests/interop/test_backends.py",
    "tests/interop/test_oidc_provider_keys.py",
    "tests/interop/test_oidc_provider_opaque.py",
    "tests/interop/test_websockets.py",
    "tests/interop/test_proxy_protocol.py",
    "tests/process/test_pool.py",
    "tests/caches/test_environment.py",
    "tests/attacks/test_limits.py",
    "tests/attacks/test_tls.py",
    "tests/browser/test_pages.py",
    "tests/browser/test_device_bound.py",
    "tests/browser/test_device_bound_fleet.py",
    "tests/browser/test_status.py",
    "tests/browser/test_login_elsewhere.py",
    "tests/browser/test_login_server.py",
    "tests/browser/test_openid2.py",
    "tests/interop/test_client_certificates.py",
    "tests/interop/test_fleet.py",
    "tests/test_etc_ansible.py",
)
"""They begin first: else, at the end, one process would wait long for another."""


TESTS_OF_PROCESSES = (
    "tests/process/",
    "tests/test_cli.py",
    "tests/test_supervisor.py",
    "tests/test_tap.py",
)
_measuring = {
    name: value
    for name, value in os.environ.items()
    if name.startswith("COVERAGE_PROCESS_")
}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let nobody look for garbage among what stays until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first."""
    places = {name: place for place, name in enumerate(LONGEST)}

    def place(item: pytest.Item) -> int:
        return places.get(item.nodeid.partition("::")[0], len(LONGEST))

    items.sort(key=place)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logstart(nodeid: str) -> None:
    """
    Have coverage look into the processes of a test only if these are what it tests.

    Others ask a proxy from outside, and most of the time that its start takes is lost
    to measuring what each start runs.
    """
    measured = nodeid.startswith(TESTS_OF_PROCESSES)
    Proxy.forks = not measured
    for name, value in _measuring.items():
        if measured:
            os.environ[name] = value
        else:
            os.environ.pop(name, None)


@pytest.fixture(params=["cookie", "server"])
def kind(request: pytest.FixtureRequest) -> str:
    """Give the type of sessions, one after the other."""
    name: str = request.param
    return name


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that every user may enter and write."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o777)
        yield path


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(
    pyfuncitem: pytest.Function,
) -> Generator[None, object, object]:
    """Run tests that make up their values without measuring them."""
    if not getattr(pyfuncitem.obj, "is_hypothesis_test", False):
        return (yield)
    with unmeasured():
        return (yield)


@pytest.fixture(scope="session")
def slapd() -> "Iterator[Slapd]":
    """Give a real directory, started by the first test that needs it."""
    directory, server = temporary_slapd()
    with directory, server:
        yield server
