"""Pages say what there is to say, and can do nothing else."""

import base64
import hashlib
import json
import re

import pytest

from sso_proxy.model import Headers
from sso_proxy.pages import default_pages
from sso_proxy.pages.kit import KINDS
from sso_proxy.testing.fakes import make_request

PAGES = default_pages()
BROWSER = make_request(headers={"Accept": "text/html,*/*;q=0.8"}).head
GERMAN = make_request(
    headers={"Accept": "text/html", "Accept-Language": "de-CH,en;q=0.5"}
).head
PROGRAM = make_request(headers={"Accept": "application/json"}).head

EXPLAINED = [
    "login-state",
    "login-no-cookie",
    "login-expired",
    "login-other-browser",
    "login-denied",
    "login-refused",
    "login-loop",
    "too-many-logins",
    "provider-error",
    "session-too-large",
    "session-binding",
    "session-key-missing",
    "login-form-not-kept",
    "login-form-foreign",
    "login-form-large",
    "login-form-gone",
    "login-target",
    "login-target-long",
    "session-ended",
]
ELSEWHERE = [
    "",
    "//evil.example/",
    "/\\evil.example/",
    "\\/evil.example/",
    "/\t/evil.example/",
    "https://evil.example/",
    "javascript:alert(1)",
    "/a b",
    "/\uff0fevil.example",
    "/\n",
]


def policy_of(headers: Headers) -> dict[str, list[str]]:
    policy = dict(headers)["content-security-policy"]
    parts = (part.split() for part in policy.split(";"))
    return {name: sources for name, *sources in parts}


def hashes(page: str, element: str) -> list[str]:
    """Hash what stands in an element, as browsers do."""
    return [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)
    ]


def made(name: str) -> tuple[Headers, str]:
    match name:
        case "error":
            headers, body = PAGES.error("login-loop", 429, BROWSER, "id-1", "/again")
        case "fragment":
            headers, body = PAGES.fragment("/do", "a", BROWSER, "id-1")
        case "choose":
            headers, body = PAGES.choose(
                [("One", "/1"), ("Two", "/2")], BROWSER, "id-1"
            )
        case "logout":
            headers, body = PAGES.logout("/.sso/logout", "/a?b", BROWSER, "id-1")
        case "logged-out":
            headers, body = PAGES.logged_out(
                BROWSER,
                "id-1",
                here=True,
                confirmed=[("tokens", "Corp")],
                unknown=[("provider", "Corp")],
            )
        case "account":
            headers, body = PAGES.render(
                "account",
                head=BROWSER,
                request_id="id-1",
                accounts=(),
                action="/.sso/",
                logout="/.sso/logout",
                everywhere=True,
                but=False,
                outcome="",
            )
        case "away":
            headers, body = PAGES.render(
                "away",
                head=BROWSER,
                request_id="id-1",
                action="/do",
                fields=[("a", "b")],
            )
        case _:
            headers, body = PAGES.restore("/do", "post", [("a", "b")], BROWSER, "id-1")
    return headers, body.decode()


@pytest.mark.parametrize("name", KINDS)
def test_a_page_may_do_what_it_does_and_no_more(name: str) -> None:
    headers, page = made(name)
    policy = policy_of(headers)
    assert policy["default-src"] == ["'none'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert policy["style-src"] == hashes(page, "style")
    assert policy.get("script-src", []) == hashes(page, "script")
    leads = ["'self'", "http:", "https:"] if "<form" in page else ["'none'"]
    assert policy["form-action"] == leads
    assert not re.search(r"<script[^>]| on\w+=| style=|https?://", page)


@pytest.mark.parametrize("name", KINDS)
def test_a_page_is_never_kept_and_tells_nobody_where_it_was(name: str) -> None:
    given = dict(made(name)[0])
    assert given["cache-control"] == "no-store"
    assert given["x-content-type-options"] == "nosniff"
    # Browsers say where a form comes from only if they may say the origin.
    form = "<form" in made(name)[1]
    assert given["referrer-policy"] == ("strict-origin" if form else "no-referrer")
    assert given["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("name", KINDS)
def test_a_page_tells_its_language(name: str) -> None:
    assert '<html lang="en" dir="ltr">' in made(name)[1]


def test_an_error_has_the_number_that_the_log_has() -> None:
    assert "<code>id-1</code>" in made("error")[1]


@pytest.mark.parametrize("reason", EXPLAINED)
@pytest.mark.parametrize("head", [BROWSER, GERMAN])
def test_a_login_that_fails_is_explained(reason: str, head: object) -> None:
    browser = BROWSER if head is BROWSER else GERMAN
    _, body = PAGES.error(reason, 400, browser, "id-1")
    _, without = PAGES.error("", 400, browser, "id-1")
    assert body != without


def test_a_refusal_names_the_id_by_which_it_is_explained() -> None:
    problem = make_request(headers={"Accept": "application/json"}).head
    for head in (BROWSER, problem, None):
        _, body = PAGES.error("main/no-rule", 403, head, "5f0c1d9ab3e2-17")
        assert b"5f0c1d9ab3e2-17" in body
        assert b"no-rule" not in body


def test_a_reason_without_an_explanation_is_not_told() -> None:
    _, body = PAGES.error("token-signature", 403, BROWSER, "id-1")
    assert body == PAGES.error("", 403, BROWSER, "id-1")[1]
    assert b"token-signature" not in body


@pytest.mark.parametrize("reason", EXPLAINED)
def test_a_reason_that_is_explained_is_told_to_programs(reason: str) -> None:
    for head in (BROWSER, GERMAN):
        _, page = PAGES.error(reason, 400, head, "id-1")
        told = re.findall(r'<meta name="reason" content="([^"]*)">', page.decode())
        assert told == [reason]
    assert json.loads(PAGES.error(reason, 400, None, "id-1")[1])["reason"] == reason


@pytest.mark.parametrize("reason", ["", "main/no-rule", "token-signature", "text"])
def test_no_other_reason_is_told_to_programs(reason: str) -> None:
    assert b'"reason"' not in PAGES.error(reason, 403, BROWSER, "id-1")[1]
    assert "reason" not in json.loads(PAGES.error(reason, 403, None, "id-1")[1])


def test_a_page_is_in_the_language_asked_for() -> None:
    _, body = PAGES.error("", 404, GERMAN, "id-1")
    page = body.decode()
    assert '<html lang="de"' in page
    assert "Nicht gefunden" in page


@pytest.mark.parametrize("action", ELSEWHERE)
def test_what_was_brought_back_goes_nowhere_else(action: str) -> None:
    with pytest.raises(ValueError, match="own host"):
        PAGES.fragment(action, "a", BROWSER, "id-1")


def test_there_is_one_next_step() -> None:
    _, body = PAGES.error("login-expired", 400, BROWSER, "id-1", "/a?b=1&c=2")
    assert re.findall(r'href="([^"]*)"', body.decode()) == ["/a?b=1&amp;c=2"]
    assert b"Log in again</a>" in body


def test_who_may_not_do_this_may_be_somebody_else() -> None:
    _, body = PAGES.error("denied", 403, BROWSER, "id-1", "/.sso/login?to=%2F")
    assert b"Log in as somebody else</a>" in body


def test_without_a_target_there_is_no_link() -> None:
    _, body = PAGES.error("login-expired", 400, BROWSER, "id-1")
    assert b"<a " not in body


@pytest.mark.parametrize("target", ELSEWHERE)
def test_no_page_leads_to_another_host(target: str) -> None:
    if target:
        with pytest.raises(ValueError, match="own host"):
            PAGES.error("", 400, BROWSER, "id-1", target)
    with pytest.raises(ValueError, match="own host"):
        PAGES.choose([("a", target)], BROWSER, "id-1")
    with pytest.raises(ValueError, match="own host"):
        PAGES.restore(target, "post", [], BROWSER, "id-1")


@pytest.mark.parametrize("head", [PROGRAM, None])
def test_a_program_gets_problem_details(head: object) -> None:
    headers, body = PAGES.error(
        "login-expired", 400, PROGRAM if head else None, "id-1", "/again"
    )
    assert dict(headers)["content-type"] == "application/problem+json"
    assert dict(headers)["cache-control"] == "no-store"
    problem = json.loads(body)
    assert problem["title"] == "Bad Request"
    assert problem["status"] == 400
    assert problem["detail"].startswith("A login has to be finished")
    assert problem["instance"] == "urn:request:id-1"


def test_a_status_without_words_has_the_standards() -> None:
    _, body = PAGES.error("", 418, BROWSER, "id-1")
    assert b"I&#39;m a Teapot" in body


def test_what_is_put_in_is_escaped() -> None:
    bad = "<script>alert(1)</script>\"'"
    for _, body in (
        PAGES.error("", 400, BROWSER, bad),
        PAGES.choose([(bad, "/?a='\"<b>")], BROWSER, "id-1"),
        PAGES.restore("/", "post", [(bad, bad)], BROWSER, "id-1"),
    ):
        page = body.decode()
        assert "alert(1)</script>" not in page
        assert "<b>" not in page
        assert not re.search(r"""["']&gt;|=["'][^"'>]*<""", page)


def test_choices_are_links_in_their_order() -> None:
    _, page = made("choose")
    found = re.findall(r'<li><a href="(.*?)">(.*?)</a></li>', page)
    assert found == [("/1", "One"), ("/2", "Two")]


def test_a_form_keeps_its_fields_in_order_and_has_a_button() -> None:
    fields = [("b", "1"), ("a", "2"), ("b", "3\r\n4")]
    _, body = PAGES.restore("/do?x=1", "post", fields, BROWSER, "id-1")
    page = body.decode()
    found = re.findall(r'type="hidden" name="(.*?)" value="(.*?)"', page, re.DOTALL)
    assert found == fields
    assert '<form action="/do?x=1" method="post"' in page
    assert '<button type="submit">Continue</button>' in page


def test_a_person_hears_what_has_ended_and_what_nobody_knows() -> None:
    _, body = PAGES.logged_out(
        BROWSER,
        "id-1",
        here=True,
        confirmed=[("provider", "A & B")],
        unknown=[("tokens", "<C>")],
    )
    page = body.decode()
    assert "Your session at this site has ended." in page
    assert "A &amp; B has dealt with your logout" in page
    assert "&lt;C&gt; did not confirm" in page
    assert 'href="/"' in page
    assert "<form" not in page


def test_who_was_not_logged_in_is_not_told_otherwise() -> None:
    _, body = PAGES.logged_out(
        BROWSER, "id-1", here=False, confirmed=[], unknown=[], again="/bye"
    )
    page = body.decode()
    assert "There was no session" in page
    assert "Confirmed" not in page
    assert "Not known" not in page
    assert 'href="/bye"' in page


@pytest.mark.parametrize("head", [BROWSER, GERMAN])
@pytest.mark.parametrize("what", ["provider", "tokens", "answer"])
def test_all_that_can_be_unknown_is_said_in_each_language(
    what: str, head: object
) -> None:
    browser = BROWSER if head is BROWSER else GERMAN
    _, body = PAGES.logged_out(
        browser, "id-1", here=True, confirmed=[], unknown=[(what, "Corp")]
    )
    said = re.findall(r"<li>(.*)</li>", body.decode())
    assert len(said) == 1
    assert len(said[0]) > 20


def test_no_page_about_logouts_leads_to_another_host() -> None:
    with pytest.raises(ValueError, match="own host"):
        PAGES.logout("//evil.example/", "", BROWSER, "id-1")
    with pytest.raises(ValueError, match="own host"):
        PAGES.logged_out(
            BROWSER,
            "id-1",
            here=True,
            confirmed=[],
            unknown=[],
            again="//evil.example/",
        )


def test_what_somebody_wants_afterwards_is_in_the_form() -> None:
    _, body = PAGES.logout("/.sso/logout", '/a?b="<', BROWSER, "id-1")
    page = body.decode()
    assert '<form action="/.sso/logout" method="post"' in page
    assert 'name="to" value="/a?b=&#34;&lt;"' in page
    assert "hidden" not in PAGES.logout("/x", "", BROWSER, "id-1")[1].decode()


def test_a_page_asks_for_an_account() -> None:
    headers, body = default_pages().discover(
        [("A & B", "/.sso/login?iss=a")],
        None,
        "x",
        action="/.sso/login",
        fields=[("to", '"/><script>')],
        problem="unknown",
    )
    text = body.decode()
    assert "A &amp; B" in text
    assert 'value="&#34;/&gt;&lt;script&gt;"' in text
    assert 'role="alert"' in text
    assert "form-action 'self' http: https:" in dict(headers)["content-security-policy"]


def test_a_page_of_choices_alone_has_no_form() -> None:
    _, body = default_pages().discover([("A", "/a")], None, "x")
    assert b"<form" not in body


@pytest.mark.parametrize("place", ["//evil.example", "https://evil.example/"])
def test_a_page_that_asks_leads_to_nobody_else(place: str) -> None:
    with pytest.raises(ValueError, match="own host"):
        default_pages().discover([], None, "x", action=place)
    with pytest.raises(ValueError, match="own host"):
        default_pages().discover([("a", place)], None, "x")
