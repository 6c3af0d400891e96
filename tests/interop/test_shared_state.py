"""Workers share what has to be remembered, and nothing is made that nobody needs."""

import http.client
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.running import (
    REAL,
    Proxy,
    environment,
    eventually,
    need_root,
    python_for_nobody,
)

PLUGIN = '''
"""Lets each ticket in once; who has none is given one."""

import attrs

from sso_proxy.model import Authenticated, HeaderChallenge, Identity, NotPresented
from sso_proxy.model import Rejected
from sso_proxy.plugin import PluginFactory


@attrs.frozen(kw_only=True)
class TicketConfig:
    """
    Tickets.

    Attributes:
        cache: The cache's name.
    """

    cache: str | None = None


class Tickets:
    config_class = TicketConfig
    consumes = ("authorization",)

    def __init__(self, cache, sealer):
        self.cache, self.sealer = cache, sealer

    @classmethod
    def from_config(cls, config, tools):
        needs = frozenset({"add"})
        return cls(tools.cache(config.cache, needs), tools.sealer("ticket"))

    async def authenticate(self, request):
        values = request.head.values("authorization")
        if not values:
            return NotPresented()
        ticket = bytes.fromhex(values[0].partition(" ")[2])
        if self.sealer.open(ticket) is None:
            return Rejected(reason="ticket-forged")
        if not await self.cache.add("ticket", ticket, b"", 60):
            return Rejected(reason="ticket-used")
        return Authenticated(
            Identity(issuer="us", subject="alice", authenticator="tickets"), until=0
        )

    def challenge(self, request):
        return HeaderChallenge(("Ticket " + self.sealer.seal(b"").hex(),))

    def refusal(self, request, refusal):
        return None


from zope.interface import classImplements
from sso_proxy.interfaces import IAuthenticator

classImplements(Tickets, IAuthenticator)
tickets = PluginFactory(
    name="tickets", makes="IAuthenticator", target=f"{__name__}:Tickets"
)
'''


class Tickets(Proxy):
    """A proxy that lets each ticket in once."""

    def __init__(self, directory: Path, **server: object) -> None:
        self.more = ""
        self.options = ""
        (directory / "plugins").mkdir()
        (directory / "plugins" / "tickets.py").write_text(PLUGIN)
        (directory / "site").mkdir()
        (directory / "site" / "index.html").write_text("hello")
        super().__init__(directory, **server)

    def write_config(self, **server: object) -> None:
        super().write_config(**server)
        text = self.config.read_text()
        plugins = f'plugin_path = ["{self.directory}/plugins"]\n[[listener]]'
        text = text.replace("[[listener]]", plugins, 1)
        text = text.replace('["anonymous"]', '["tickets"]')
        text = re.sub("backend = .*", f'backend = "static:{self.directory}/site"', text)
        self.config.write_text(
            f'{text}\n[authenticator.tickets]\ntype = "tickets"\n{self.options}\n'
            f"{self.more}\n"
        )

    def ask(self, ticket: str | None = None) -> tuple[int, str]:
        """Ask on a new connection; gives the status and the ticket offered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {} if ticket is None else {"Authorization": ticket}
        try:
            connection.request("GET", "/index.html", headers=headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.getheader("WWW-Authenticate") or ""
        finally:
            connection.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def run_check(config: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from sso_proxy.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", code, "check", str(config)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_ticket_is_good_once_whichever_worker_is_asked(tmp_path: Path) -> None:
    state = tmp_path / "state"
    proxy = Tickets(tmp_path, workers=2, state_dir=str(state))
    checked = run_check(proxy.config)
    assert checked.returncode == 0, checked.stderr
    assert not state.exists(), "a check makes nothing"
    with proxy.start(program=REAL).wait_until_serving():
        assert (mode(state), mode(state / "keys.json")) == (0o700, 0o600)
        assert mode(state / "cache") == 0o700
        assert proxy.log().count("made the key ring") == 1
        for _ in range(6):
            status, ticket = proxy.ask()
            assert status == 401
            statuses = [proxy.ask(ticket)[0] for _ in range(6)]
            assert statuses == [200, 403, 403, 403, 403, 403]
        assert proxy.ask("Ticket " + "00" * 60)[0] == 403
        assert proxy.ask_admin("/health/ready")[0] == 200
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0
    assert (state / "cache" / "in-use").read_text() == "closed"


def test_tickets_survive_reload_rotation_and_kill(tmp_path: Path) -> None:
    proxy = Tickets(tmp_path, workers=2, state_dir=str(tmp_path / "state"))
    with proxy.start(program=REAL).wait_until_serving():
        _, used = proxy.ask()
        _, unused = proxy.ask()
        assert proxy.ask(used)[0] == 200
        code = (
            "import sys; from sso_proxy.cli import main; sys.exit(main(sys.argv[1:]))"
        )
        ring = str(tmp_path / "state" / "keys.json")
        subprocess.run(  # noqa: S603
            [sys.executable, "-c", code, "key", "rotate", "--file", ring],
            env=environment(),
            check=True,
            timeout=60,
        )
        proxy.signal(signal.SIGHUP)
        proxy.wait_for_log("reloaded")
        assert proxy.ask(used)[0] == 403
        assert proxy.ask(unused)[0] == 200
        victims = proxy.workers()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        eventually(
            lambda: (
                proxy.ask_admin("/health/ready")[0] == 200
                and not set(victims) & set(proxy.workers())
            ),
            "new workers",
        )
        assert proxy.ask(used)[0] == 403
        assert proxy.ask(unused)[0] == 403
        _, fresh = proxy.ask()
        assert proxy.ask(fresh)[0] == 200


def test_reload_may_name_other_files(tmp_path: Path) -> None:
    proxy = Tickets(tmp_path, state_dir=str(tmp_path / "state"))
    with proxy.start(program=REAL).wait_until_serving():
        _, ticket = proxy.ask()
        assert proxy.ask(ticket)[0] == 200
        for times, more in (
            (1, '[cache.other]\ntype = "local"\ndirectory = "other"\n'),
            (2, '[cache.other]\ntype = "local"\nbudget = 536870912\n'),
        ):
            proxy.more = more
            proxy.write_config()
            proxy.signal(signal.SIGHUP)
            proxy.wait_for_log("reloaded", times)
            in_use = tmp_path / "other" / "in-use"
            if times == 1:
                assert proxy.ask(ticket)[0] == 200, "nobody has used it there"
                assert in_use.read_text() != "closed"
            else:
                assert in_use.read_text() == "closed"
                assert proxy.ask(ticket)[0] == 403


def test_state_belongs_to_the_user_after_the_drop(public_directory: Path) -> None:
    need_root()
    python = python_for_nobody()
    (public_directory / "lib").mkdir(mode=0o755)  # where only root can make it
    state = public_directory / "lib" / "state"
    proxy = Tickets(public_directory, state_dir=str(state))
    drop = ("--nodaemon", "--pidfile=", "--uid=nobody", "--gid=nogroup")
    with proxy.start(*drop, program=REAL, python=python).wait_until_serving():
        _, ticket = proxy.ask()
        assert proxy.ask(ticket)[0] == 200
        owners = {path.stat().st_uid for path in (state, *state.rglob("*"))}
        assert owners == {65534}


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ('[key_ring]\nfile = "gone.json"', "key_ring.file"),
        ('[cache.default]\ntype = "local"\ndirectory = "site"', "cache.default.dir"),
    ],
)
def test_what_cannot_be_used_stops_the_start_with_its_path(
    tmp_path: Path, more: str, path: str
) -> None:
    proxy = Tickets(tmp_path, state_dir=str(tmp_path / "state"))
    proxy.more = more
    proxy.write_config()
    with proxy.start(program=REAL):
        assert proxy.wait() == 1
        assert path in proxy.log()
        assert "Traceback" not in proxy.log()


def test_files_that_are_not_needed_are_not_made(tmp_path: Path) -> None:
    proxy = Proxy(tmp_path, state_dir=str(tmp_path / "state"))
    (tmp_path / "site").mkdir()
    proxy.backend = f"static:{tmp_path}/site"
    proxy.write_config()
    with proxy.start(program=REAL).wait_until_serving():
        assert not (tmp_path / "state").exists()
