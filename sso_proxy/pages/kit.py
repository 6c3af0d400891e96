"""
Makes pages: HTML that loads nothing, says so in its policy, and is never kept.

Every text that is put in is escaped; what a page may do is written in its
``Content-Security-Policy``: our style by its hash, a script only where one is, a form
only where one is.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, Literal

import attrs
from jinja2 import Environment
from markupsafe import Markup

from sso_proxy.model import Headers, RequestHead
from sso_proxy.pages.catalogue import Catalogue
from sso_proxy.pages.phrase import phrase_of
from sso_proxy.specs.http.accept import prefers_html
from sso_proxy.specs.http.accept_language import choose_language

Method = Literal["get", "post"]

_SAFE: Final[Headers] = (
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
)
_NO_REFERRER: Final = ("referrer-policy", "no-referrer")
_PROBLEM: Final[Headers] = (
    ("content-type", "application/problem+json"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    *_SAFE,
    _NO_REFERRER,
)
# Without any referrer, browsers say "Origin: null" with a form: nobody could tell that
# it is ours.
_FORM_REFERRER: Final = ("referrer-policy", "strict-origin")
# A browser takes "\" for "/", and leaves out tabs and line ends: "/\t/evil.example".
_own_target = re.compile(r"/(?![/\\])[!-\[\]-~]*").fullmatch


@attrs.frozen(kw_only=True)
class Kind:
    """
    What pages of one kind may do.

    Attributes:
        form: Whether they have a form.
        script: The file of ours that they run, or empty.
    """

    form: bool = False
    script: str = ""


KINDS: Final[Mapping[str, Kind]] = {
    "error": Kind(),
    "choose": Kind(),
    "discover": Kind(form=True),
    "login-form": Kind(form=True),
    "restore": Kind(form=True, script="submit.js"),
    "fragment": Kind(form=True, script="fragment.js"),
    "logout": Kind(form=True),
    "logged-out": Kind(),
    "account": Kind(form=True),
    "openid": Kind(),
    "ticket": Kind(form=True),
    "away": Kind(form=True, script="submit.js"),
}
"""The pages that there are; each has a template of its name."""


def hash_source(text: str) -> str:
    """Give the source expression that allows *text* inline (CSP 3 section 2.3.1)."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@attrs.frozen(kw_only=True)
class Pages:
    """
    The pages of one configuration; making one changes nothing and waits for nothing.

    Attributes:
        environment: Has the templates, compiled, with escaping on.
        catalogues: What pages say, by language.
        language: The language for callers who ask for none that there is.
        title: The site's name, or empty.
        logo: A ``data:`` URI, or empty.
        reasons: Whether answers carry their reason codes.
        style: The style sheet.
        scripts: What pages with a script run, by the names of files.
    """

    environment: Environment = attrs.field(repr=False)
    catalogues: Mapping[str, Catalogue] = attrs.field(repr=False)
    language: str
    title: str = ""
    logo: str = attrs.field(default="", repr=False)
    reasons: bool = False
    style: str = attrs.field(repr=False)
    scripts: Mapping[str, str] = attrs.field(repr=False)
    _headers: Mapping[str, Headers] = attrs.field(init=False, repr=False)
    _tags: tuple[str, ...] = attrs.field(init=False, repr=False)

    @_headers.default
    def _make_headers(self) -> Mapping[str, Headers]:
        return {name: self._headers_of(kind) for name, kind in KINDS.items()}

    @_tags.default
    def _make_tags(self) -> tuple[str, ...]:
        return tuple(self.catalogues)

    def error(
        self,
        reason: str,
        status: int,
        head: RequestHead | None,
        request_id: str,
        again: str = "",
    ) -> tuple[Headers, bytes]:
        """
        Say to a person or a program, whichever asked, what is wrong.

        Args:
            reason: The reason code; one without an explanation of its own is not
                told, and the page says what there is to say about the status.
            status: The status code.
            head: The request, or None if it could not be read.
            request_id: By which the log has the reason.
            again: Where a person tries again: path and query on this host; empty for
                pages without such a link.

        Raises:
            ValueError: *again* is not on this host.
        """
        if head is None or not prefers_html(head):
            return _PROBLEM, self._problem(reason, status, request_id)
        if again:
            _check_own(again)
        say = self._catalogue(head)
        return self.render(
            "error",
            head=head,
            request_id=request_id,
            status=status,
            title=_explain(say, reason, status, "title") or phrase_of(status),
            text=_explain(say, reason, status, "text"),
            reason=_told(say, reason),
            again=again,
            again_label=say.find(
                f"reason.{reason}.again", f"status.{status}.again", "words.again"
            ),
        )

    def choose(
        self,
        choices: Sequence[tuple[str, str]],
        head: RequestHead | None,
        request_id: str,
    ) -> tuple[Headers, bytes]:
        """
        Let a person choose how to log in.

        Args:
            choices: What each is called, and where it leads: path and query on this
                host.
            head: The request.
            request_id: Its id.

        Raises:
            ValueError: One leads to another host.
        """
        for _, href in choices:
            _check_own(href)
        return self.render(
            "choose", head=head, request_id=request_id, choices=tuple(choices)
        )

    def discover(  # noqa: PLR0913 - what it says, and to whom
        self,
        choices: Sequence[tuple[str, str]],
        head: RequestHead | None,
        request_id: str,
        *,
        action: str = "",
        fields: Sequence[tuple[str, str]] = (),
        problem: str = "",
        openid: bool = False,
    ) -> tuple[Headers, bytes]:
        """
        Let a person say at which provider they log in.

        Args:
            choices: As for `choose`; there may be none.
            head: The request.
            request_id: Its id.
            action: Where the form with what they type goes: a path on this host; empty:
                there is none.
            fields: Its other, hidden fields.
            problem: What was wrong with what they typed before: the name of a message
                (``discover.`` and this), or empty.
            openid: Whether an OpenID is typed.

        Raises:
            ValueError: Something leads to another host.
        """
        for href in (*(href for _, href in choices), *([action] if action else ())):
            _check_own(href)
        say = self._catalogue(head)
        return self.render(
            "discover",
            head=head,
            request_id=request_id,
            choices=tuple(choices),
            action=action,
            fields=tuple(fields),
            problem=say.find(f"discover.{problem}") if problem else "",
            openid=openid,
        )

    def restore(
        self,
        action: str,
        method: Method,
        fields: Sequence[tuple[str, str]],
        head: RequestHead | None,
        request_id: str,
    ) -> tuple[Headers, bytes]:
        """
        Make a form that sends itself, or is sent by a button where no script runs.

        A browser sends each line end in a value as CR LF, so that nothing that must
        stay as it is can be a field.

        Args:
            action: Where to: path and query on this host.
            method: How.
            fields: Hidden fields, in order.
            head: The request.
            request_id: Its id.

        Raises:
            ValueError: *action* is on another host.
        """
        _check_own(action)
        return self.render(
            "restore",
            head=head,
            request_id=request_id,
            action=action,
            method=method,
            fields=tuple(fields),
        )

    def logout(
        self, action: str, target: str, head: RequestHead | None, request_id: str
    ) -> tuple[Headers, bytes]:
        """
        Ask a person whether they want to log out.

        Args:
            action: Where the form goes: a path on this host.
            target: Where they want to be afterwards, as a field of the form; may be
                empty.
            head: The request.
            request_id: Its id.

        Raises:
            ValueError: *action* is on another host.
        """
        _check_own(action)
        return self.render(
            "logout", head=head, request_id=request_id, action=action, target=target
        )

    def logged_out(  # noqa: PLR0913 - what it says, and to whom
        self,
        head: RequestHead | None,
        request_id: str,
        *,
        here: bool,
        confirmed: Sequence[tuple[str, str]],
        unknown: Sequence[tuple[str, str]],
        again: str = "",
    ) -> tuple[Headers, bytes]:
        """
        Tell a person what has ended, and what may not have.

        Args:
            head: The request.
            request_id: Its id.
            here: Whether a session ended here.
            confirmed: What others say that they have done: the names of messages
                (``logout.confirmed.`` and this), and what people know the others by.
            unknown: What nobody knows, likewise (``logout.unknown.``).
            again: Where a person goes on: path and query on this host; empty: ``/``,
                where they may have to log in again.

        Raises:
            ValueError: *again* is on another host.
        """
        if again:
            _check_own(again)
        say = self._catalogue(head)

        def tell(kind: str, name: str, provider: str) -> str:
            text = say.find(f"logout.{kind}.{name}")
            return text.replace("{provider}", provider)

        return self.render(
            "logged-out",
            head=head,
            request_id=request_id,
            title=say.find("logout.title"),
            here=say.find("logout.ended" if here else "logout.nothing"),
            confirmed=tuple(tell("confirmed", *each) for each in confirmed),
            unknown=tuple(tell("unknown", *each) for each in unknown),
            again=again or "/",
            again_label=say.words["continue"] if again else say.find("logout.again"),
        )

    def fragment(
        self, action: str, field: str, head: RequestHead | None, request_id: str
    ) -> tuple[Headers, bytes]:
        """
        Make a form that sends what is behind the ``#`` of its own URL.

        It takes that out of the address bar and the history first.

        Args:
            action: Where to: a path on this host.
            field: The name of the form's only field.
            head: The request.
            request_id: Its id.

        Raises:
            ValueError: *action* is on another host.
        """
        _check_own(action)
        return self.render(
            "fragment", head=head, request_id=request_id, action=action, field=field
        )

    def render(
        self,
        name: str,
        *,
        head: RequestHead | None,
        request_id: str,
        **values: Any,  # noqa: ANN401
    ) -> tuple[Headers, bytes]:
        """
        Fill in the template of *name*, in the language that *head* asks for.

        Args:
            name: One of `KINDS`.
            head: The request, or None if it could not be read.
            request_id: Its id.
            values: What the template of that name needs.
        """
        say = self._catalogue(head)
        template = self.environment.get_template(f"{name}.html")
        script = self.scripts.get(KINDS[name].script, "")
        page = template.render(
            values,
            language=say.language,
            direction=say.direction,
            words=say.words,
            site_title=self.title,
            logo=self.logo,
            style=Markup(self.style),  # noqa: S704 - ours or the operator's, checked
            script=Markup(script),  # noqa: S704 - ours
            request_id=request_id,
        )
        return self._headers[name], page.encode()

    def _catalogue(self, head: RequestHead | None) -> Catalogue:
        """Give the texts in the language that *head* asks for."""
        asked = head.values("accept-language") if head is not None else ()
        return self.catalogues[choose_language(asked, self._tags, self.language)]

    def _problem(self, reason: str, status: int, request_id: str) -> bytes:
        """Say it to a program (RFC 9457), always in the same language."""
        say = self.catalogues[self.language]
        problem: dict[str, str | int] = {
            "type": "about:blank",
            "title": phrase_of(status),
            "status": status,
            "detail": _explain(say, reason, status, "text"),
            "instance": f"urn:request:{request_id}",
        }
        if told := _told(say, reason):
            problem["reason"] = told
        return json.dumps(problem).encode() + b"\n"

    def _headers_of(self, kind: Kind) -> Headers:
        """Write down what pages of one kind may do, and nothing else."""
        policy = ["default-src 'none'", f"style-src {hash_source(self.style)}"]
        if self.logo:
            policy.append("img-src data:")
        if kind.script:
            policy.append(f"script-src {hash_source(self.scripts[kind.script])}")
        policy += ["base-uri 'none'", f"form-action {_form_target(kind)}"]
        policy.append("frame-ancestors 'none'")
        return (
            ("content-type", "text/html; charset=utf-8"),
            ("content-security-policy", "; ".join(policy)),
            *_SAFE,
            _FORM_REFERRER if kind.form else _NO_REFERRER,
        )


def _form_target(kind: Kind) -> str:
    """
    Say where forms may lead.

    Chromium looks at the redirects that answer a form, too: an application that
    answers a restored POST with one to another host must not be cut off.  Where the
    form itself goes is ours to write.
    """
    return "'self' http: https:" if kind.form else "'none'"


def _explain(say: Catalogue, reason: str, status: int, part: str) -> str:
    """Give what there is to say: about the reason, else about the status."""
    return say.find(f"reason.{reason}.{part}", f"status.{status}.{part}")


def _told(say: Catalogue, reason: str) -> str:
    """Give *reason* for programs, if people are told what it means, too."""
    return reason if say.find(f"reason.{reason}.text") else ""


def is_own_target(target: str) -> bool:
    """Say whether *target* is a path on its own host for every browser."""
    return _own_target(target) is not None


def _check_own(target: str) -> None:
    """Refuse what a browser would take for another host, or for a script."""
    if not is_own_target(target):
        raise ValueError("a page links to nothing but paths on its own host")
