"""etc/openid2.toml runs: people log in with Chromium at a provider of OpenID 2.0."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.chromium import Chromium, Tab, key_hash
from tests.support.openid2_op import OpenIdProvider, openid2_op
from tests.support.page_checks import begin_at_the_top, check_page
from tests.support.password_scene import htpasswd_line
from tests.support.programs import CurlAnswer, RealProxy, curl
from tests.support.recorder import BODY, Recorder, answer
from tests.support.slapd import (
    PEOPLE,
    READER,
    READER_PASSWORD,
    Slapd,
    person,
)

EXAMPLE = Path(__file__).parents[2] / "etc" / "openid2.toml"
HOST: Final = "app.example.com"
STAFF: Final = "staff.example.com"
SCREENSHOTS: Final = os.environ.get("SCREENSHOTS")
PHONE: Final = {"width": 360, "height": 740}
APPLICATION: Final = b"<!DOCTYPE html><title>Orders</title><p>Welcome"
FORM: Final = """<!DOCTYPE html><title>Shop</title>
<form method="post" action="{place}">
<input name="openid_identifier" value="{identifier}">
<input type="hidden" name="aoid_redirect_to" value="/orders?from=form">
<button>Go</button></form>"""
ASKED: Final = "document.querySelector('input[name=openid_identifier]')"
AT_PROVIDER: Final = "document.title == 'Provider'"
FROM_HERE: Final = """
networks = ["127.0.0.0/8"]
lookups_per_address = 1000
"""
MORE: Final = """
[mapper.directory]
type = "ldap"
servers = ["{ldap}"]
ca = "{ldap_ca}"
auth = "simple"
bind_dn = "{reader}"
bind_password = "env:LDAP_PASSWORD"
base = "{base}"
attribute = "labeledURI"

[authenticator.staff]
type = "openid2"
mappers = ["directory"]
provider = "{op}/"
networks = ["127.0.0.0/8"]

[authenticator.beside]
type = "openid2"
mappers = ["people"]
networks = ["127.0.0.0/8"]
in_answer = true

[authenticator.dialog]
type = "basic"
checker = "users"

[[route]]
host = "staff.example.com"
authenticate = ["staff"]
map_user = ["directory"]
backend = "{backend}"

[[route]]
host = "staff.example.com"
path = "/beside/"
authenticate = ["beside", "dialog"]
map_user = ["people", "programs"]
backend = "{backend}"

[[route]]
host = "staff.example.com"
path = "/quiet/"
authenticate = ["beside", "api-basic"]
map_user = ["people", "programs"]
backend = "{backend}"

[[route]]
host = "app.example.com"
path = "/shop/"
authenticate = ["anonymous"]
backend = "{backend}"
"""


@attrs.frozen(kw_only=True)
class Site:
    """
    The running example, and who comes to it.

    Attributes:
        port: Where it is.
        ca: Whom programs trust.
        op: The provider.
        backend: The application.
        proxy: The proxy.
        chromium: The browser.
    """

    port: int
    ca: Path
    op: OpenIdProvider
    backend: Recorder
    proxy: RealProxy
    chromium: Chromium

    def url(self, path: str, host: str = HOST) -> str:
        """Give the URL of a page."""
        return f"https://{host}:{self.port}{path}"

    def show(self, path: str, page: bytes) -> None:
        """Have the application show a page."""
        kind = b"Content-Type: text/html"
        self.backend.scripts[path] = (BODY, answer(page, "200 OK", kind))

    def call(self, url: str, *options: str) -> CurlAnswer:
        """Come as a program does."""
        resolve = [f"{host}:{self.port}:127.0.0.1" for host in (HOST, STAFF)]
        pairs = [each for host in resolve for each in ("--resolve", host)]
        return curl("--cacert", self.ca, *pairs, *options, url)

    def users(self) -> list[str]:
        """Give whom the application was told of, the last one last."""
        seen = [each for each in self.backend.seen if each.path != "/favicon.ico"]
        return [name for each in seen for name in each.values("X-Remote-User")]


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run the example, with names and ports replaced, and a directory besides."""
    directory = tmp_path_factory.mktemp("openid2")
    pki = Pki.create()
    ca = pki.write(directory)
    (directory / "tls").mkdir()
    issued = pki.issue(HOST, dns=[HOST, STAFF], server=True)
    issued.write(directory / "tls", "app")
    (directory / "users").write_text(htpasswd_line("robot", "s3cret"))
    (directory / "ldap").mkdir()
    with (
        openid2_op(directory, pki, user="") as op,
        Recorder() as backend,
        Slapd(
            directory / "ldap", person("erin", f"labeledURI: {op.identity('Erin')}")
        ) as slapd,
    ):
        users = f"{op.identity('alice')} alice.liddell\n{op.identity('mallory')} !\n"
        (directory / "openid.map").write_text(users)
        text = EXAMPLE.read_text()
        for old, new in (
            ('"0.0.0.0"', '"127.0.0.1"'),
            ("8443", "0"),
            ("127.0.0.1:9000", f"127.0.0.1:{backend.port}"),
            (
                'providers = ["https://openid.example.net/login"]',
                f'providers = ["{op.op_endpoint}"]\n{FROM_HERE}',
            ),
        ):
            assert old in text
            text = text.replace(old, new)
        text += MORE.format(
            ldap=slapd.tls_url,
            ldap_ca=slapd.directory / "ca.crt",
            reader=READER,
            base=PEOPLE,
            op=op.url,
            backend=f"http://127.0.0.1:{backend.port}",
        )
        assert op.certificate is not None
        keys = [key_hash(each.cert_pem) for each in (issued, op.certificate)]
        server = {"outbound": {"ca": str(ca)}, "state_dir": str(directory / "state")}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LDAP_PASSWORD", READER_PASSWORD)
            proxy = RealProxy(directory, text, **server)
            with proxy.serve(), Chromium(*keys) as chromium:
                yield Site(
                    port=proxy.ports[0],
                    ca=ca,
                    op=op,
                    backend=backend,
                    proxy=proxy,
                    chromium=chromium,
                )


@pytest.fixture
def site(_running: Site) -> Site:
    """Give the site, whose application has seen nobody yet."""
    _running.backend.clear()
    for path in ("/orders", "/welcome", "/feeds/"):
        _running.show(path, APPLICATION)
    return _running


def type_in(tab: Tab, field: str, text: str) -> None:
    tab.run(f"document.querySelector({field!r}).select()")
    tab.call("Input.insertText", text=text)


def look(tab: Tab, name: str) -> None:
    if SCREENSHOTS:
        tab.screenshot(Path(SCREENSHOTS, f"openid-{name}.png"))
    # The field has the focus already; from the top, everything can be reached.
    begin_at_the_top(tab)
    check_page(tab)


def type_identifier(tab: Tab, identifier: str) -> None:
    """Fill in the login page, and send it."""
    tab.wait(ASKED)
    type_in(tab, "input[name=openid_identifier]", identifier)
    tab.press("Enter")


def agree(tab: Tab, user: str) -> None:
    """Log in at the provider."""
    tab.wait(AT_PROVIDER)
    type_in(tab, "#user", user)
    tab.follow("Log in")


def test_who_stands_in_the_file_logs_in_and_out(site: Site) -> None:
    with site.chromium.tab(**PHONE) as tab:
        tab.go(site.url("/orders?year=2026"))
        tab.wait(ASKED)
        look(tab, "asks-phone")
        type_identifier(tab, "=alice")
        tab.wait("document.getElementById('problem')")
        look(tab, "asks-again-phone")
        type_identifier(tab, site.op.identity("alice"))
        agree(tab, "alice")
        tab.wait("document.title == 'Orders'")
        assert tab.url == site.url("/orders?year=2026")
        assert site.users() == ["alice.liddell"]
        assert tab.problems() == []

        tab.go(site.url("/.sso/logout"))
        tab.wait("document.title.startsWith('You are logged out here')")
        tab.go(site.url("/orders"))
        tab.wait(ASKED)
    assert site.users() == ["alice.liddell"]


def test_who_stands_in_the_directory_logs_in_as_the_provider_says(site: Site) -> None:
    """Nobody types an identifier: the provider says whose it is."""
    with site.chromium.tab() as tab:
        tab.go(site.url("/orders", STAFF))
        agree(tab, "Erin")
        tab.wait("document.title == 'Orders'")
    assert site.users() == ["erin"]
    with site.chromium.tab() as tab:
        tab.go(site.url("/orders", STAFF))
        agree(tab, "erin")  # another one: its capital makes it somebody
        tab.wait("document.getElementById('identifier')")
    assert site.users() == ["erin"]


def test_a_form_of_the_application_says_who_and_where_to(site: Site) -> None:
    page = FORM.format(place="/.sso/login", identifier=site.op.identity("alice"))
    site.show("/shop/", page.encode())
    with site.chromium.tab() as tab:
        tab.go(site.url("/shop/"))
        tab.follow("Go")
        agree(tab, "alice")
        tab.wait("document.title == 'Orders'")
        assert tab.url == site.url("/orders?from=form")
    assert site.users() == ["alice.liddell"]


def test_what_a_page_of_others_posts_is_asked_for_anew(site: Site) -> None:
    """Or it would log whoever looks at it in as somebody of its own."""
    asked = len(site.op.asked)
    page = FORM.format(
        place=site.url("/.sso/login"), identifier=site.op.identity("alice")
    )
    with site.chromium.tab() as tab:
        tab.go(f"data:text/html,{quote(page)}")
        tab.follow("Go")
        tab.wait(f"{ASKED} && document.title != 'Shop'")
        assert tab.run(f"{ASKED}.value") == ""
        assert tab.url.startswith(site.url("/.sso/"))
    assert len(site.op.asked) == asked


def test_somebody_new_sees_which_identifier_is_theirs(site: Site) -> None:
    zoe = "zoe" + 60 * "x"  # which a phone has no line for
    with site.chromium.tab(**PHONE, dark=True) as tab:
        tab.go(site.url("/.sso/openid/openid"))
        type_identifier(tab, site.op.op_identifier)
        agree(tab, zoe)
        tab.wait("document.getElementById('identifier')")
        shown = tab.run("document.getElementById('identifier').innerText")
        assert shown == site.op.identity(zoe)
        look(tab, "shown-phone-dark")
        tab.go(site.url("/orders"))
        tab.wait(ASKED)  # which is no login
    assert site.users() == []


def test_a_request_that_is_too_long_for_a_url_is_posted(site: Site) -> None:
    """And so is its answer: the provider's page does the same."""
    long = "a" * 900
    with site.chromium.tab() as tab:
        tab.go(site.url("/.sso/openid/openid"))
        type_identifier(tab, site.op.identity(long))
        agree(tab, long)
        tab.wait("document.getElementById('identifier')")
        assert site.op.identity(long) in tab.text
        assert tab.problems() == []


def test_who_has_no_name_here_is_told_so_and_may_be_another(site: Site) -> None:
    with site.chromium.tab(**PHONE, language="de") as tab:
        tab.go(site.url("/orders"))
        type_identifier(tab, site.op.op_identifier)
        agree(tab, "mallory")
        tab.wait("document.getElementById('identifier')")
        assert site.op.identity("mallory") in tab.text
        look(tab, "unmapped-phone")
        tab.follow("Mit einer anderen anmelden")
        type_identifier(tab, site.op.op_identifier)
        agree(tab, "alice")
        tab.wait("document.title == 'Orders'")
    assert site.users() == ["alice.liddell"]
    assert "[AOID 015]" in site.proxy.log()


def test_who_cancels_at_the_provider_can_begin_again(site: Site) -> None:
    with site.chromium.tab(**PHONE) as tab:
        tab.go(site.url("/orders"))
        type_identifier(tab, site.op.identity("alice"))
        tab.wait(AT_PROVIDER)
        tab.follow("Cancel")
        tab.wait("document.title.startsWith('The login was cancelled')")
        look(tab, "cancelled-phone")
        tab.follow("Log in again")
        tab.wait(ASKED)


def test_people_log_in_and_programs_have_a_password(site: Site) -> None:
    """A browser gets no dialog, as the example says; the other route has one."""
    with site.chromium.tab() as tab:
        tab.go(site.url("/feeds/"))
        type_identifier(tab, site.op.identity("alice"))
        agree(tab, "alice")
        tab.wait("document.title == 'Orders'")
    assert site.call(site.url("/feeds/"), "-u", "robot:s3cret").status == 200
    assert site.users() == ["alice.liddell", "robot"]
    assert site.call(site.url("/feeds/"), "-u", "robot:wrong").status == 401


def test_the_login_page_is_the_body_of_a_challenge(site: Site) -> None:
    """A browser without a screen has no dialog to cancel: the other route has none."""
    for path in ("/beside/", "/quiet/"):
        site.show(path, APPLICATION)
    url = site.url("/beside/", STAFF)
    fields = ("-H", "Accept: text/html", "-H", "Sec-Fetch-Mode: navigate")
    page = site.call(url, *fields, "-H", "Sec-Fetch-Dest: document")
    assert page.status == 401
    assert page.values("www-authenticate")[0].startswith("Basic ")
    assert 'name="openid_identifier"' in page.body.decode()
    with site.chromium.tab() as tab:
        quiet = site.url("/quiet/", STAFF)
        tab.go(quiet)
        assert tab.url == quiet
        type_identifier(tab, site.op.identity("alice"))
        agree(tab, "alice")
        tab.wait("document.title == 'Orders'")
        tab.go(url)
        tab.wait("document.title == 'Orders'")
    assert site.call(url, "-u", "robot:s3cret").status == 200
    assert site.users() == ["alice.liddell", "alice.liddell", "robot"]


def test_who_wanted_no_page_comes_to_the_start_page(site: Site) -> None:
    with site.chromium.tab() as tab:
        tab.go(site.url("/.sso/login"))
        type_identifier(tab, site.op.identity("alice"))
        agree(tab, "alice")
        tab.wait("document.title == 'Orders'")
        assert tab.url == site.url("/welcome")
    assert "Traceback" not in site.proxy.log()
