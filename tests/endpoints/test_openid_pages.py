"""The pages that ask for an identifier, and that show one."""

from sso_proxy.endpoints.openid_pages import (
    AWAY,
    ask_for,
    lead_away,
    show_identifier,
)
from sso_proxy.login import FormAway, OpenIdShown, Question
from sso_proxy.pages import default_pages
from sso_proxy.testing.fakes import make_request


def test_browsers_know_the_field_of_an_openid() -> None:
    question = Question(typed=True, openid=True, status=401)
    page = ask_for(
        default_pages(), question, make_request(), place="/x", links=(), fields=()
    )
    assert page.status == 401
    assert b'name="openid_identifier"' in page.body


def test_an_identifier_is_escaped() -> None:
    shown = OpenIdShown(identifier="https://a.example/<script>", known=False)
    page = show_identifier(default_pages(), shown, make_request(), "/login")
    assert (page.status, page.reason) == (403, "openid-unmapped")
    assert b"<script" not in page.body


def test_what_goes_to_a_provider_is_escaped_and_keeps_its_headers() -> None:
    bad = '"><script>alert(1)</script>'
    form = FormAway(
        action="https://op.example/?a=1&b=2",
        fields=((bad, bad),),
        headers=(("set-cookie", "a=b"),),
    )
    page = lead_away(default_pages(), form, make_request())
    assert (page.status, page.reason) == (200, AWAY)
    assert ("set-cookie", "a=b") in page.headers
    assert b'<form action="https://op.example/?a=1&amp;b=2" method="post"' in page.body
    assert b"<script>alert" not in page.body
