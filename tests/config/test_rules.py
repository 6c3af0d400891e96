"""What options of the server must not say together."""

from collections.abc import Callable

import pytest

Mistakes = Callable[..., dict[str, str]]


def test_good_file_has_no_mistakes(mistakes: Mistakes) -> None:
    assert mistakes() == {}


@pytest.mark.parametrize(
    ("server", "path", "problem"),
    [
        ('name = "my proxy"', "server.name", "one word"),
        ('managed_headers = ["a b"]', "server.managed_headers[0]", "no header"),
        (
            'managed_headers = ["X-A", "Host"]',
            "server.managed_headers[1]",
            "belongs to HTTP",
        ),
        ('audit.to = "file"', "server.audit.file", "needs it"),
        ('audit.file = "a.log"', "server.audit.file", "no effect"),
        ('audit.syslog = "/dev/log"', "server.audit.syslog", "no effect"),
        ('access_log.to = "file"', "server.access_log.file", "needs it"),
        ('outbound.proxy = "https://p:3128"', "server.outbound.proxy", "http://host"),
        ('outbound.proxy = "http://u:p@h:1"', "server.outbound.proxy", "http://host"),
    ],
)
def test_server_is_refused(
    mistakes: Mistakes, server: str, path: str, problem: str
) -> None:
    found = mistakes(f"[server]\n{server}")
    assert list(found) == [path]
    assert problem in found[path]


def test_two_streams_into_one_file_are_refused(mistakes: Mistakes) -> None:
    found = mistakes(
        """
        [server]
        audit = { to = "file", file = "x.log" }
        access_log = { to = "file", file = "x.log" }
        """
    )
    assert list(found) == ["server.access_log.file"]


def test_component_name_with_other_characters_is_refused(mistakes: Mistakes) -> None:
    assert list(mistakes('[mapper."a b"]\ntype = "static"')) == ["mapper.'a b'"]


def test_nothing_else_may_call_itself_anonymous(mistakes: Mistakes) -> None:
    found = mistakes('[authenticator.anonymous]\ntype = "bearer"')
    assert "is taken" in found["authenticator.anonymous"]


def test_anonymous_may_be_written_out(mistakes: Mistakes) -> None:
    assert mistakes('[authenticator.anonymous]\ntype = "anonymous"') == {}


def test_memory_of_one_worker_is_none_for_several(mistakes: Mistakes) -> None:
    """A replay mark that only one worker has stops one replay in two."""
    memory = '[cache.m]\ntype = "memory"\n'
    assert mistakes(memory) == {}
    (path,) = mistakes("[server]\nworkers = 2\n" + memory)
    assert path == "cache.m.type"


def test_two_local_caches_have_two_directories(mistakes: Mistakes) -> None:
    caches = '[cache.a]\ntype = "local"\n[cache.b]\ntype = "local"\n'
    assert mistakes(caches + 'directory = "b"') == {}
    found = mistakes(caches)
    assert "cache.a" in found["cache.b.directory"]


@pytest.mark.parametrize(
    ("limit", "octets", "good"),
    [(32768, 24000, True), (32768, 25000, False), (65536, 32000, True)],
)
def test_sessions_in_cookies_must_fit_into_what_we_read(
    mistakes: Mistakes,
    limit: int,
    octets: int,
    good: bool,  # noqa: FBT001
) -> None:
    """Else a login would end in 431 at every request after it."""
    server = f"[server]\nlimits = {{ header_bytes = {limit} }}\n"
    found = mistakes(server + f'[session.s]\ntype = "cookie"\nmax_bytes = {octets}\n')
    assert [*found] == ([] if good else ["session.s.max_bytes"])
