"""Cookies of applications are good for who got them, and for nobody else."""

from collections import Counter
from string import ascii_letters, digits

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs

from sso_proxy.bound_cookies import BEGIN, BoundCookies, both
from sso_proxy.config.key_ring import KeyRing, RingKey
from sso_proxy.model import CertificateFacts, Request, TokenBindings
from sso_proxy.sealing import RingSealer
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import KEY_RING, NOW, make_certificate, make_request
from sso_proxy.testing.token_binding import BindingKey
from tests.support.cookie_binding import bound

ALICE = make_certificate("CN=alice")
MALLORY = make_certificate("CN=mallory")
KEY, OTHER_KEY = BindingKey.create(), BindingKey.create()
values = st.binary(max_size=200).map(
    lambda octets: octets.decode("latin-1").translate(dict.fromkeys(map(ord, "\r\n;")))
)


def asking(
    *cookies: str,
    by: CertificateFacts | None = ALICE,
    key: BindingKey | None = None,
) -> Request:
    """Make a request with cookie fields, over a connection with keys."""
    request = make_request(certificate=by)
    if key is not None:
        bindings = TokenBindings(provided=key.id)
        request = attrs.evolve(request, token_binding=bindings)
    headers = (("accept", "*/*"), *(("cookie", cookie) for cookie in cookies))
    head = attrs.evolve(request.head, headers=headers)
    return attrs.evolve(request, head=head)


def sealed(cookies: BoundCookies, request: Request, *lines: str) -> list[str]:
    """Give the Set-Cookie lines that the client gets."""
    fields = "".join(f"Set-Cookie: {line}\r\n" for line in lines)
    block = f"HTTP/1.1 200 OK\r\nA: b\r\n{fields}X-After: y\r\n".encode("latin-1")
    found = cookies.sealing(request)(block).decode("latin-1")
    assert found.startswith("HTTP/1.1 200 OK\r\nA: b\r\n")
    assert found.endswith("X-After: y\r\n")
    begin = "Set-Cookie: "
    return [each.removeprefix(begin) for each in found.split("\r\n") if begin in each]


def cookie_of(
    cookies: BoundCookies, request: Request | None = None, line: str = "JSESSIONID=s3cr"
) -> str:
    """Give the pair that a browser sends back."""
    (field,) = sealed(cookies, request or asking(), line)
    return field.partition(";")[0]


def passed(cookies: BoundCookies, request: Request) -> list[str]:
    """Give the cookie fields that the backend gets."""
    return cookies.open(request).head.values("cookie")


def test_who_got_it_brings_it_back() -> None:
    cookies = bound()
    (field,) = sealed(cookies, asking(), "JSESSIONID=s3cr; Path=/app; HttpOnly")
    pair, _, attributes = field.partition(";")
    assert attributes == " Path=/app; HttpOnly; Secure"
    assert pair.startswith(f"JSESSIONID={BEGIN}")
    assert "s3cr" not in field
    assert passed(cookies, asking(f"a=b; {pair}")) == ["a=b; JSESSIONID=s3cr"]


@pytest.mark.parametrize("by", [MALLORY, None])
def test_a_thief_gets_nothing_for_it(by: CertificateFacts | None) -> None:
    cookies = bound()
    pair = cookie_of(cookies)
    assert passed(cookies, asking(f"a=b; {pair}", by=by)) == ["a=b"]
    assert passed(cookies, asking(pair, by=by)) == []


def test_a_value_that_was_never_sealed_is_worth_nothing() -> None:
    """Such as one out of the application's log, or made up by somebody."""
    cookies = bound()
    fields = ["JSESSIONID=s3cr", "a=b, JSESSIONID=s3cr", "jsessionid=s3cr; c=d"]
    assert passed(cookies, asking(*fields)) == ["c=d"]


def test_what_opens_for_another_name_does_not_open() -> None:
    cookies = bound("*")
    pair = cookie_of(cookies, line="theme=admin")
    value = pair.partition("=")[2]
    assert passed(cookies, asking(pair)) == ["theme=admin"]
    assert passed(cookies, asking(f"role={value}")) == []
    assert passed(cookies, asking(f"Theme={value}")) == []


def at(request: Request, host: str) -> Request:
    """Give the same request at another host."""
    return attrs.evolve(request, head=attrs.evolve(request.head, host=host))


def test_what_one_host_s_application_seals_opens_there_alone() -> None:
    """Whoever has one write what they like does not get it past another."""
    cookies = bound()
    pair = cookie_of(cookies)
    assert passed(cookies, at(asking(pair), "other.example.com")) == []
    assert passed(cookies, at(asking(pair), "example.com")) == []


@pytest.mark.parametrize("host", ["example.com", "app.example.com", "a.b.example.com"])
def test_a_cookie_of_a_domain_opens_at_all_its_hosts(host: str) -> None:
    cookies = bound()
    pair = cookie_of(cookies, line="JSESSIONID=s3cr; Domain=.example.com")
    assert passed(cookies, at(asking(pair), host)) == ["JSESSIONID=s3cr"]
    assert passed(cookies, at(asking(pair), "example.org")) == []
    assert passed(cookies, at(asking(pair, by=MALLORY), host)) == []


def test_token_binding_binds_as_well() -> None:
    cookies = bound(token_binding="require")
    pair = cookie_of(cookies, asking(key=KEY))
    assert passed(cookies, asking(pair, key=KEY, by=None)) == ["JSESSIONID=s3cr"]
    assert passed(cookies, asking(pair, key=OTHER_KEY)) == []
    assert passed(cookies, asking(pair)) == []


def test_it_is_bound_to_all_keys_that_there_were() -> None:
    cookies = bound(token_binding="prefer", certificate="require")
    with_both = cookie_of(cookies, asking(key=KEY))
    with_one = cookie_of(cookies, asking())
    both_keys, one = asking(with_both, key=KEY), asking(with_one)
    assert passed(cookies, both_keys) == passed(cookies, one) == ["JSESSIONID=s3cr"]
    for wrong in (
        asking(with_both),
        asking(with_both, key=KEY, by=None),
        asking(with_both, key=KEY, by=MALLORY),
        asking(with_one, key=KEY),
    ):
        assert passed(cookies, wrong) == []


def test_without_a_required_key_nothing_is_set() -> None:
    cookies = bound()
    lines = ["JSESSIONID=s3cr; Path=/", "lang=de"]
    assert sealed(cookies, asking(by=None), *lines) == ["lang=de"]
    assert cookies.counts == {("app.example.com/", "not_set"): 1}


def test_without_a_preferred_key_it_passes_as_it_is() -> None:
    cookies, nobody = bound(certificate="prefer"), asking(by=None)
    assert sealed(cookies, nobody, "JSESSIONID=s3cr") == ["JSESSIONID=s3cr"]
    plain = asking("JSESSIONID=s3cr; a=b", by=None)
    assert cookies.open(plain) is plain


def test_leaving_the_key_away_does_not_help_where_it_is_preferred() -> None:
    cookies = bound(certificate="prefer")
    pair = cookie_of(cookies)
    assert passed(cookies, asking(pair, by=None)) == []
    assert passed(cookies, asking("JSESSIONID=s3cr")) == []  # nor a plain one with it


@pytest.mark.parametrize("by", [ALICE, None])
def test_a_deletion_passes(by: CertificateFacts | None) -> None:
    """Also for who has no key, and then without the value that it had."""
    request = asking(by=by)
    lines = [
        "JSESSIONID=s3cr; Path=/; Max-Age=0",
        "JSESSIONID=; expires=Thu, 01-Jan-1970 00:00:01 GMT",
    ]
    assert sealed(bound(), request, *lines) == [
        "JSESSIONID=; Path=/; Max-Age=0; Secure",
        "JSESSIONID=; expires=Thu, 01-Jan-1970 00:00:01 GMT; Secure",
    ]


def test_a_date_counts_as_of_now() -> None:
    clock = SettableClock()
    cookies = attrs.evolve(bound(), clock=clock)
    line = "JSESSIONID=s3cr; Expires=Fri, 15 Jan 2027 08:00:10 GMT"
    assert BEGIN in sealed(cookies, asking(), line)[0]
    clock.advance(60)
    assert sealed(cookies, asking(), line)[0].startswith("JSESSIONID=; Expires")


def test_each_of_several_is_sealed_by_itself() -> None:
    cookies = bound("JSESSIONID", "PHP*")
    lines = [
        "JSESSIONID=one; Path=/",
        "lang=de; Path=/",
        "JSESSIONID=two; Path=/app",
        'PHPSESSID="a, b\\"c"; SameSite=None; secure',
        "__Host-sso-x=ours",
    ]
    found = sealed(cookies, asking(), *lines)
    assert found[1] == lines[1]
    assert found[3].endswith("; SameSite=None; secure")
    assert found[4] == lines[4]
    pairs = [each.partition(";")[0] for each in found]
    # The one for the longer path comes first, and applications go by that.
    back = f"{pairs[2]}; {pairs[0]}; {pairs[1]}; {pairs[3]}"
    assert passed(cookies, asking(back)) == [
        'JSESSIONID=two; JSESSIONID=one; lang=de; PHPSESSID="a, b\\"c"'
    ]


def test_names_with_a_meaning_keep_it() -> None:
    cookies = bound("__Host-session")
    (field,) = sealed(cookies, asking(), "__Host-session=1; Path=/; Secure")
    assert field.endswith("; Path=/; Secure")
    pair = field.partition(";")[0]
    assert passed(cookies, asking(pair)) == ["__Host-session=1"]


def test_what_browsers_would_not_keep_is_not_set() -> None:
    cookies = bound()
    (fits,) = sealed(cookies, asking(), f"JSESSIONID={'x' * 3000}")
    assert len(fits.partition(";")[0]) <= 4097
    with capturedLogs() as events:
        assert sealed(cookies, asking(), f"JSESSIONID={'x' * 3100}") == []
    assert cookies.counts == {("app.example.com/", "too_long"): 1}
    (event,) = events
    assert event["size"] == 3100


def test_all_fields_are_read() -> None:
    cookies = bound()
    pair = cookie_of(cookies)
    assert passed(cookies, asking("a=b", pair, "JSESSIONID=x", "c=d")) == [
        "a=b",
        "JSESSIONID=s3cr",
        "c=d",
    ]


def test_a_dropped_cookie_is_logged_without_its_value() -> None:
    cookies = bound()
    pair = cookie_of(cookies)
    with capturedLogs() as events:
        passed(cookies, asking(pair, "x=y, JSESSIONID=plain", by=MALLORY))
    (event,) = events
    assert event["count"] == 2
    assert event["id"] == "test-request"
    text = repr(event)
    assert "s3cr" not in text
    assert BEGIN not in text
    assert "plain" not in text
    assert cookies.counts == {("app.example.com/", "refused"): 2}


def test_old_keys_of_ours_open_and_removed_ones_do_not() -> None:
    old = RingKey(kid="old", created=int(NOW), secret=bytes(32))
    new = RingKey(kid="new", created=int(NOW) - 9, secret=bytes([1]) * 32)
    pair = cookie_of(bound(ring=KeyRing((old,))))
    rotated, later = bound(ring=KeyRing((new, old))), bound(ring=KeyRing((new,)))
    assert passed(rotated, asking(pair)) == ["JSESSIONID=s3cr"]
    assert passed(later, asking(pair)) == []


def test_nothing_else_that_we_seal_is_a_value() -> None:
    cookies = bound()
    pair = cookie_of(attrs.evolve(cookies, sealer=RingSealer("session", KEY_RING)))
    assert passed(cookies, asking(pair)) == []


def test_ours_stay_where_every_cookie_is_bound() -> None:
    """Who serves below our own endpoints goes by them; no backend gets them."""
    cookies = bound("*")
    assert passed(cookies, asking("__Host-sso=1.a; _ga=1")) == ["__Host-sso=1.a"]


def test_a_request_without_cookies_is_left_alone() -> None:
    request = asking()
    assert bound().open(request) is request


def test_an_answer_without_cookies_is_left_alone() -> None:
    block = b"HTTP/1.1 200 OK\r\nX-Set-Cookie: a=b\r\n"
    assert bound().sealing(asking())(block) is block


@given(value=values)
def test_what_was_sealed_opens(value: str) -> None:
    """Whatever octets the value has but those that end a cookie."""
    cookies = bound()
    pair = cookie_of(cookies, line=f"JSESSIONID={value}")
    value = value.strip(" \t")
    assert passed(cookies, asking(pair)) == [f"JSESSIONID={value}"]


SEALED = cookie_of(bound())


@given(place=st.integers(11, len(SEALED) - 1), octet=st.integers(0, 255))
def test_a_changed_one_never_opens(place: int, octet: int) -> None:
    changed = SEALED[:place] + chr(octet) + SEALED[place + 1 :]
    if changed != SEALED:
        found = " ".join(passed(bound(), asking(changed)))
        assert "JSESSIONID" not in found
        assert "s3cr" not in found


def test_there_is_one_way_to_write_what_is_sealed() -> None:
    """The last of these characters stands for fewer bits than it could."""
    others = {SEALED[:-1] + each for each in ascii_letters + digits + "-_"}
    for other in others - {SEALED}:
        assert passed(bound(), asking(other)) == []


@given(end=st.integers(0, len(SEALED) - 1), more=st.text("Aa=%. _-", max_size=3))
def test_a_cut_or_longer_one_never_opens(end: int, more: str) -> None:
    for changed in (SEALED[:end], SEALED + more + "A"):
        assert "s3cr" not in " ".join(passed(bound(), asking(changed)))


@given(st.binary(min_size=1), st.binary(min_size=1), st.text("abc", min_size=1))
def test_no_other_key_or_name_ever_opens(ours: bytes, theirs: bytes, name: str) -> None:
    cookies = bound("*")
    mine, other = make_certificate(der=ours), make_certificate(der=theirs)
    pair = cookie_of(cookies, asking(by=mine), "a=s3cr")
    renamed = name + pair[1:]
    found = passed(cookies, asking(renamed, by=other))
    assert bool(found) is (ours == theirs and name == "a")


def test_two_changes_are_made_one_after_the_other() -> None:
    def end(block: bytes) -> bytes:
        return block + b"b"

    assert both(lambda block: block + b"a", end)(b"") == b"ab"
    assert both(end, None) is end


def test_counts_begin_with_nothing() -> None:
    assert bound().counts == Counter()
