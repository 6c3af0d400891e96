"""What people do at the demo's web application, and what has to come of it."""

from collections.abc import Callable
from typing import Any, Final

import attrs

from sso_proxy.testing.demo.call import Answer, ClientTls
from sso_proxy.testing.demo.checks import Check, Result
from sso_proxy.testing.demo.people import PEOPLE
from sso_proxy.testing.demo.scene import Scene
from sso_proxy.testing.demo.visitor import PAGE, Visitor

SCRIPT: Final = {"Accept": "application/json", "Sec-Fetch-Mode": "cors"}
"""What a browser says when a script asks."""
FORGED: Final = {**PAGE, "X-Remote-User": "24400320", "X-Claim-Groups": "staff"}

_NO_TOKEN: Final = b"No token, and no cookie of the proxy."


@attrs.frozen(kw_only=True)
class Visit:
    """
    One thing that somebody does.

    Attributes:
        check: What it is, and what has to come of it.
        path: Where on the web application.
        person: Who logs in first, by name; somebody whom the provider does not know
            cancels; empty: nobody logs in.
        fields: What the browser says about a request that is not followed.
    """

    check: Check
    path: str = "/"
    person: str = ""
    fields: dict[str, str] | None = None


def see_login(answer: Answer) -> str:
    """Show where a login begins: at the provider, with PKCE, a nonce and a state."""
    place = answer.headers.get("location", "")
    needed = ("code_challenge_method=S256", "nonce=", "state=", "response_type=code")
    if "/authorize?" not in place or not all(part in place for part in needed):
        return ""
    return f"sent to {place.partition('?')[0]}"


def see_no_redirect(answer: Answer) -> str:
    """Show that nobody is sent anywhere."""
    return "" if "location" in answer.headers else "no redirect: a script cannot log in"


def see_greeting(key: str) -> Callable[[Answer], str]:
    """Make what shows that the application knows who it is, and got no token."""
    name = PEOPLE[key].name

    def see(answer: Answer) -> str:
        told = f"X-Claim-Name</dt><dd>{name}<".encode() in answer.body
        return f"the application was told {name}, no token" * (
            told and _NO_TOKEN in answer.body
        )

    return see


def see_refusal(answer: Answer) -> str:
    """Show that the page is the proxy's."""
    return "the proxy's page says so" * (b"give this number" in answer.body)


def see_cancelled(answer: Answer) -> str:
    """Show that the page says what happened, and what to do next."""
    explained = b"The login was cancelled" in answer.body and b"href=" in answer.body
    return "the page says why, with a link to log in again" * explained


def _check(
    title: str, status: int, expected: str, see: Callable[[Answer], str]
) -> Check:
    return Check(
        title=title,
        token=False,
        certificate="",
        status=status,
        expected=expected,
        see=see,
    )


VISITS: Final = (
    Visit(
        check=_check(
            "Somebody looks at a page", 303, "a login at the provider", see_login
        ),
        fields=PAGE,
    ),
    Visit(
        check=_check("The same, with forged header fields", 303, "a login", see_login),
        fields=FORGED,
    ),
    Visit(
        check=_check("A script asks for data", 401, "no redirect", see_no_redirect),
        fields=SCRIPT,
    ),
    Visit(
        check=_check(
            "Alice, of the staff, logs in", 200, "a greeting", see_greeting("alice")
        ),
        person="alice",
    ),
    Visit(
        check=_check(
            "Alice looks at the reports", 200, "the reports", see_greeting("alice")
        ),
        person="alice",
        path="/reports/?year=2026",
    ),
    Visit(
        check=_check("Bob, a partner, logs in", 200, "a greeting", see_greeting("bob")),
        person="bob",
    ),
    Visit(
        check=_check("Bob looks at the reports", 403, "our page", see_refusal),
        person="bob",
        path="/reports/",
    ),
    Visit(
        check=_check("Mallory, a visitor, logs in", 403, "our page", see_refusal),
        person="mallory",
    ),
    Visit(
        check=_check(
            "Somebody cancels at the provider", 403, "our page", see_cancelled
        ),
        person="nobody",
    ),
)


async def run_visit(reactor: Any, scene: Scene, visit: Visit) -> Result:  # noqa: ANN401
    """Do one of them with a new browser, and look at what came of it."""
    visitor = Visitor(reactor=reactor, tls=ClientTls(trust=scene.authority))
    url = scene.web_url + visit.path
    if visit.fields is not None:
        answer = await visitor.ask(url, visit.fields)
    else:
        answer = await visitor.log_in(url, visit.person)
    return Result(check=visit.check, answer=answer, seen=visit.check.see(answer))
