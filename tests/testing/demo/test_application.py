"""The demo's application shows what it was sent."""

from typing import Any

import pytest
from twisted.web.test.requesthelper import DummyRequest

from sso_proxy.testing.demo.application import Application


def page(path: str = "/", **fields: str) -> str:
    request: Any = DummyRequest([])
    request.path = request.uri = path.encode()
    for name, value in fields.items():
        request.requestHeaders.setRawHeaders(name.replace("_", "-"), [value])
    return Application().render(request).decode()


def test_it_greets_who_it_is_told() -> None:
    shown = page(X_Remote_User="24400320", X_Claim_Name="Älice")
    assert "Hello, Älice" in shown
    assert "<dt>X-Remote-User</dt><dd>24400320</dd>" in shown


def test_it_knows_nobody_by_itself() -> None:
    assert "Hello, nobody" in page(User_Agent="x")


@pytest.mark.parametrize("name", ["Authorization", "Cookie"])
def test_a_credential_would_be_seen(name: str) -> None:
    assert "No token, and no cookie of the proxy." in page(Accept="x")
    assert f"It was sent {name}: that must not be." in page(**{name: "x"})


def test_people_can_log_out() -> None:
    assert '<form action="/.sso/logout" method="post">' in page()


def test_reports_are_another_page() -> None:
    assert "Reports for nobody" in page("/reports/")


def test_what_is_sent_is_escaped() -> None:
    assert "<script>" not in page(X_Remote_User="<script>", Other="<script>")
