"""What a backend gets with a request that its client did not send."""

from typing import Final

import attrs


@attrs.define(kw_only=True)
class Equipment:
    """
    The credentials for one request, put where its backend looks for them.

    Deliveries add to it; then it is not changed any more.

    Attributes:
        user: The name that the backend knows the caller by.
        has_form: The request posts a form.
        settable: Lower-case names of header fields that policies may set.
        removed: Folded names of the client's header fields that it does not get.
        fields: Header fields, by their names as they are sent.
        cookies: Cookies by name.
        query: Parameters of the query by name.
        form: Fields of the form in the body by name.
        environ: Members of a hosted application's environ by name.
        answer: Fields for the client's answer.
        obliged: A policy obliged us to something: that is to be done each time.
        until: Seconds since the epoch when the first of them stops being good, or
            None.
    """

    user: str = ""
    has_form: bool = False
    settable: frozenset[str] = frozenset()
    removed: set[str] = attrs.field(factory=set)
    fields: list[tuple[str, str]] = attrs.field(factory=list, repr=False)
    cookies: list[tuple[str, str]] = attrs.field(factory=list, repr=False)
    query: list[tuple[str, str]] = attrs.field(factory=list, repr=False)
    form: list[tuple[str, str]] = attrs.field(factory=list, repr=False)
    environ: dict[str, str] = attrs.field(factory=dict, repr=False)
    answer: list[tuple[str, str]] = attrs.field(factory=list, repr=False)
    obliged: bool = False
    until: float | None = None

    def note_expiry(self, expires: float | None) -> None:
        """Let what is decided hold no longer than until *expires*."""
        if expires is not None:
            self.until = expires if self.until is None else min(self.until, expires)

    @property
    def once(self) -> bool:
        """
        Whether it is for this request alone.

        It changes what the client sent, and not only adds fields to it; or the client
        hears something that must be said once; or there were obligations, and another
        request, even of the same head, may have others or none.
        """
        return bool(
            self.obliged
            or self.cookies
            or self.query
            or self.form
            or self.answer
            or self.removed
        )


NO_EQUIPMENT: Final = Equipment()
"""What backends get that have no tokens of their own; nobody adds to it."""
