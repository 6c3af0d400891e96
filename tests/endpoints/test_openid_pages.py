"""The pages that ask for an identifier, and that show one."""

from sso_proxy.endpoints.openid_pages import ask_for, show_identifier
from sso_proxy.login import OpenIdShown, Question
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
