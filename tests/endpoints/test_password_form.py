"""The page where people log in with a password."""

import pytest

from sso_proxy.endpoints.password_form import show_form
from sso_proxy.login import PasswordForm
from sso_proxy.pages import default_pages
from sso_proxy.testing.fakes import make_request


def show(language: str = "en", **values: str) -> str:
    form = PasswordForm(action="/.sso/callback/form", login="l-1", **values)  # type: ignore[arg-type]
    request = make_request(headers={"accept-language": language})
    return show_form(default_pages(), form, request).body.decode()


def test_it_goes_to_where_browsers_come_back() -> None:
    body = show()
    assert '<form action="/.sso/callback/form" method="post"' in body
    assert '<input type="hidden" name="login" value="l-1">' in body


@pytest.mark.parametrize("problem", ["wrong", "wait"])
@pytest.mark.parametrize("language", ["en", "de"])
def test_a_problem_is_said_to_those_who_hear_the_page(
    language: str, problem: str
) -> None:
    body = show(language, problem=problem)
    assert '<p id="problem" role="alert">' in body
    assert body.count('aria-describedby="problem"') == 2
    assert '<p id="problem"' not in show(language)


def test_who_has_typed_a_name_goes_on_with_the_password() -> None:
    assert 'value="alice"' in show(user="alice")
    before, _, after = show(user="alice").partition('id="password"')
    assert "autofocus" not in before
    assert "autofocus" in after


def test_fields_are_there_once() -> None:
    form = PasswordForm(
        action="/a", login="l", headers=(("cache-control", "no-store"), ("a", "b"))
    )
    answer = show_form(default_pages(), form, make_request())
    names = [name for name, _ in answer.headers]
    assert names.count("cache-control") == 1
    assert "a" in names
