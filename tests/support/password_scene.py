"""A site where people log in with a password on our page, and programs by Basic."""

import re
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from sso_proxy.authn.basic import BasicAuthenticator, BasicConfig
from sso_proxy.authn.form import FormAuthenticator, FormConfig
from sso_proxy.interfaces import IPasswordChecker
from sso_proxy.net.threads import Threads
from sso_proxy.specs.unix_crypt import apr1_crypt
from sso_proxy.testing.passwords import FakeChecker
from tests.support.login_scene import OWN_PAGE, LoginScene, Seen

PASSWORDS = {"alice": "wonderland", "bob": "builder"}
CALLBACK = "/.sso/callback/form"
FORM = (*OWN_PAGE, b"Content-Type: application/x-www-form-urlencoded")


def basic(user: str, password: str) -> str:
    """Give what a program sends."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


class NoThreads(Threads):
    """Does at once what others have threads for."""

    def __init__(self) -> None:
        super().__init__(None, "test", 1)

    async def run(self, work: Callable[..., Any], *arguments: Any) -> Any:  # type: ignore[override]  # noqa: ANN401
        """Do it."""
        return work(*arguments)


def htpasswd_line(user: str, password: str) -> str:
    """Write a line of a file, whose hash is quickly made."""
    return f"{user}:$apr1$salt${apr1_crypt(password.encode(), b'salt')}\n"


class PasswordScene(LoginScene):
    """
    A route with ``form``, and with ``basic`` besides.

    Args:
        checker: Knows the passwords; unset, there are two.
        both: Options of both.
        form: Options of the form.
        programs: Options of ``basic``.
        kind: The type of its sessions.
        route: Parts of the route.
    """

    def __init__(
        self,
        checker: IPasswordChecker | None = None,
        *,
        both: dict[str, Any] | None = None,
        form: dict[str, Any] | None = None,
        programs: dict[str, Any] | None = None,
        kind: str = "server",
        **route: Any,  # noqa: ANN401
    ) -> None:
        self.checker: Any = checker or FakeChecker(PASSWORDS)
        both = {"checker": "users", **(both or {})}
        self._form = FormConfig(**both, **(form or {}))
        self._basic = BasicConfig(**both, **(programs or {}))
        super().__init__(kind, "form", **route)

    def make_login(self, name: str) -> FormAuthenticator:
        """Make the form."""
        self.tools.checkers["users"] = self.checker
        self.tools.name = name
        return FormAuthenticator.from_config(self._form, self.tools)

    def make_others(self) -> tuple[Any, ...]:
        """Make what programs use."""
        self.tools.name = "api"
        return (BasicAuthenticator.from_config(self._basic, self.tools),)

    def begin(self, path: str = "/") -> Seen:
        """Look at a page, and at the form that is in the way."""
        sent = self.page(path)
        assert sent.status == 303, sent
        return self.page(sent.location)

    def submit(self, page: Seen, user: str, password: str, *more: bytes) -> Seen:
        """Send the form that is on a page."""
        (login,) = re.findall(r'name="login" value="([^"]*)"', page.body)
        (action,) = re.findall(r'<form action="([^"]*)"', page.body)
        fields = {"login": login, "user": user, "password": password}
        return self.post(action, fields, *(more or FORM))

    def post(self, path: str, fields: dict[str, str], *lines: bytes) -> Seen:
        """Post a form."""
        return self.ask(path, *lines, method="POST", body=urlencode(fields).encode())

    def enter(self, user: str, password: str, path: str = "/") -> Seen:
        """Log in, as far as the answer to the password."""
        return self.submit(self.begin(path), user, password)

    def call(self, user: str, password: str, path: str = "/") -> Seen:
        """Come with a password, as programs do."""
        line = b"Authorization: " + basic(user, password).encode()
        return self.ask(path, line)

    @property
    def asked(self) -> int:
        """Say how many requests the backend got."""
        return len(self.scene.backend.asked)
