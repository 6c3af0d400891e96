"""What somebody gains who has copied a cookie, and what has to come of it."""

from typing import Any, Final

import attrs

from sso_proxy.testing.demo.call import Answer, ClientTls
from sso_proxy.testing.demo.checks import Check, Result
from sso_proxy.testing.demo.login_checks import see_greeting, see_login, see_refusal
from sso_proxy.testing.demo.scene import Scene
from sso_proxy.testing.demo.visitor import PAGE, Visitor


@attrs.frozen(kw_only=True)
class Theft:
    """
    Somebody looks at a page with Alice's cookie.

    Attributes:
        check: Who, and what has to come of it.
        bound: Whether her session is bound to her certificate.
    """

    check: Check
    bound: bool = True


def see_no_session(answer: Answer) -> str:
    """Show that whoever asks is nobody, and has to log in."""
    return "there is no session: log in" * bool(see_login(answer))


_ALICE: Final = see_greeting("alice")


def see_the_thief_greeted(answer: Answer) -> str:
    """Show that the application takes somebody else for Alice."""
    return "the application takes the thief for Alice Archer" * bool(_ALICE(answer))


THEFTS: Final = (
    Theft(
        check=Check(
            title="Alice, with the certificate of her machine",
            certificate="client",
            status=200,
            expected="a greeting",
            see=_ALICE,
        ),
    ),
    Theft(
        check=Check(
            title="Her cookie, stolen: over the thief's certificate",
            certificate="other",
            status=303,
            expected="a login: no session",
            see=see_no_session,
        ),
    ),
    Theft(
        check=Check(
            title="Her cookie, stolen: without a certificate",
            status=403,
            expected="our page",
            see=see_refusal,
        ),
    ),
    Theft(
        check=Check(
            title="Alice goes on: no thief can end her session",
            certificate="client",
            status=200,
            expected="a greeting",
            see=_ALICE,
        ),
    ),
    Theft(
        check=Check(
            title="To compare: a cookie that is bound to nothing, stolen",
            status=200,
            expected="a greeting: the cookie is enough",
            see=see_the_thief_greeted,
        ),
        bound=False,
    ),
)


class Thefts:
    """
    Alice's browser, and who has copied its cookies.

    Args:
        reactor: Connects and measures time.
        scene: The demo.
    """

    def __init__(self, reactor: Any, scene: Scene) -> None:  # noqa: ANN401
        self._reactor = reactor
        self._scene = scene
        self._copies: dict[bool, dict[str, str]] = {}

    async def log_in(self) -> None:
        """Have Alice log in, with her certificate and without; copy her cookies."""
        for bound in (True, False):
            alice = self._browser("client" if bound else "")
            await alice.log_in(self._url(bound=bound), "alice")
            self._copies[bound] = dict(alice.cookies)

    async def run(self, theft: Theft) -> Result:
        """Look at the page, and at what comes of it."""
        somebody = self._browser(theft.check.certificate)
        somebody.cookies.update(self._copies[theft.bound])
        answer = await somebody.ask(self._url(bound=theft.bound), PAGE)
        return Result(check=theft.check, answer=answer, seen=theft.check.see(answer))

    def _url(self, *, bound: bool) -> str:
        return self._scene.machine_url if bound else f"{self._scene.web_url}/"

    def _browser(self, certificate: str) -> Visitor:
        scene = self._scene
        own = getattr(scene, certificate) if certificate else None
        tls = ClientTls(trust=scene.authority, certificate=own)
        return Visitor(reactor=self._reactor, tls=tls)
