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


VISITS: Final = (
    Visit(
        check=Check(
            title="Somebody looks at a page",
            status=303,
            expected="a login at the provider",
            see=see_login,
        ),
        fields=PAGE,
    ),
    Visit(
        check=Check(
            title="The same, with forged header fields",
            status=303,
            expected="a login",
            see=see_login,
        ),
        fields=FORGED,
    ),
    Visit(
        check=Check(
            title="A script asks for data",
            status=401,
            expected="no redirect",
            see=see_no_redirect,
        ),
        fields=SCRIPT,
    ),
    Visit(
        check=Check(
            title="Alice, of the staff, logs in",
            status=200,
            expected="a greeting",
            see=see_greeting("alice"),
        ),
        person="alice",
    ),
    Visit(
        check=Check(
            title="Alice looks at the reports",
            status=200,
            expected="the reports",
            see=see_greeting("alice"),
        ),
        person="alice",
        path="/reports/?year=2026",
    ),
    Visit(
        check=Check(
            title="Bob, a partner, logs in",
            status=200,
            expected="a greeting",
            see=see_greeting("bob"),
        ),
        person="bob",
    ),
    Visit(
        check=Check(
            title="Bob looks at the reports",
            status=403,
            expected="our page",
            see=see_refusal,
        ),
        person="bob",
        path="/reports/",
    ),
    Visit(
        check=Check(
            title="Mallory, a visitor, logs in",
            status=403,
            expected="our page",
            see=see_refusal,
        ),
        person="mallory",
    ),
    Visit(
        check=Check(
            title="Somebody cancels at the provider",
            status=403,
            expected="our page",
            see=see_cancelled,
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
