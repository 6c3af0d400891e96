"""``sso-proxy user``: who stands in the file of a ``file`` mapper."""

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from sso_proxy.answered import AnsweredError
from sso_proxy.config.draft import Draft
from sso_proxy.config.edited_file import PATIENCE, locked, replace_content
from sso_proxy.config.load import load_draft
from sso_proxy.config.structure import structure
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.mappers.file import MOST_OCTETS, FileMapperConfig
from sso_proxy.net.watched_file import WatchedFile
from sso_proxy.specs.openid2.identifier import IdentifierError, normal_url
from sso_proxy.specs.user_map import (
    REFUSED_NAME,
    drop_identity,
    read_user_map,
    set_name,
)

_TAKEN: Final = (
    "Proxies that run see it a second later; they answer exact repetitions of a"
    " request as before for up to 30 seconds, or until SIGHUP."
)


class _Once(argparse.Action):
    """
    An option that counts once.

    Whoever may append to a command line that another has written (``sudoers``) must not
    say over again for whom it is.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        if getattr(namespace, self.dest) is not None:
            parser.error(f"{option_string} stands there twice")
        setattr(namespace, self.dest, values)


def add_user_command(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to those that *add_parser* adds to."""
    parser = add_parser(
        "user", help="list, add or remove users in the file of a mapper"
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, run, text in (
        ("list", run_list, "say who stands there"),
        ("add", run_add, "say what backends call somebody"),
        ("refuse", run_refuse, "keep somebody out, whatever other mappers say"),
        ("remove", run_remove, "take somebody out of the file"),
    ):
        action = actions.add_parser(name, help=text, allow_abbrev=False)
        action.add_argument(
            "--config", type=Path, required=True, action=_Once, metavar="FILE"
        )
        action.set_defaults(run=run, only=None)
        if run is not run_refuse:
            action.add_argument(
                "--only",
                action=_Once,
                metavar="USER",
                help="as if there were only those whom backends call so",
            )
        action.add_argument("mapper", metavar="MAPPER", help="that of [mapper.MAPPER]")
        if run is run_list:
            action.add_argument(
                "text", nargs="?", metavar="TEXT", help="those with it in either"
            )
            continue
        action.add_argument("identity", metavar="IDENTITY", help="as it is looked up")
        if run is run_add:
            action.add_argument("user", metavar="USER", help="the name")
            action.add_argument(
                "--replace", action="store_true", help="in place of another name"
            )


def run_list(chosen: argparse.Namespace) -> Iterator[str]:
    """
    Give a line for each: the name, or ``!``; a tab; the identity.

    Raises:
        ConfigError: The file cannot be read as the mapper reads it.
        AnsweredError: Nobody has *text*.
    """
    mapped = _mapped(chosen)
    wanted = (chosen.text or "").casefold()
    some = False
    for identity, name in read_user_map(mapped.read(), mapped.delimiter).items():
        line = f"{REFUSED_NAME if name is None else name}\t{identity}"
        if mapped.may(name) and wanted in line.casefold():
            some = True
            yield line
    if wanted and not some:
        raise AnsweredError(1)


def run_add(chosen: argparse.Namespace) -> Iterator[str]:
    """
    Put somebody in the file, or under another name.

    Raises:
        ConfigError: They are there under another name, or that cannot be written.
    """
    mapped = _mapped(chosen)
    if not mapped.may(chosen.user):
        raise _refused("command line", f"only {mapped.only!r} may be the name")
    if mapped.openids:
        _check_openid(chosen.identity)
    yield from mapped.put(chosen.identity, chosen.user, replace=chosen.replace)


def run_refuse(chosen: argparse.Namespace) -> Iterator[str]:
    """
    Keep somebody out.

    Raises:
        ConfigError: That cannot be written.
    """
    mapped = _mapped(chosen)
    if mapped.openids:
        _check_openid(chosen.identity)
    yield from mapped.put(chosen.identity, None, replace=True)


def run_remove(chosen: argparse.Namespace) -> Iterator[str]:
    """
    Take somebody out of the file.

    Raises:
        ConfigError: They are not there, or that cannot be written.
    """
    yield from _mapped(chosen).drop(chosen.identity)


@attrs.frozen(kw_only=True)
class _Mapped:
    """
    The file of a mapper.

    Attributes:
        mapper: The mapper's name.
        path: The file itself, behind all links.
        delimiter: What stands between its fields.
        openids: Whether people with an OpenID are looked up in it.
        only: The only name that counts; None for all.
    """

    mapper: str
    path: Path
    delimiter: str
    openids: bool
    only: str | None

    def may(self, name: str | None) -> bool:
        """Say whether lines with this name count."""
        return self.only is None or name == self.only

    def read(self) -> str:
        """
        Read it as the mapper does.

        Raises:
            ConfigError: It cannot be read, or the mapper would not take it.
        """
        try:
            text = WatchedFile(str(self.path), MOST_OCTETS).read()
            read_user_map(text, self.delimiter)
        except OSError as e:
            raise _refused(str(self.path), f"cannot be read: {e.strerror}") from None
        except ValueError as e:
            raise _refused(str(self.path), f"{e}; correct that first") from None
        return text

    def put(self, identity: str, name: str | None, *, replace: bool) -> tuple[str, ...]:
        """
        Write the line of *identity*, and say so.

        Raises:
            ConfigError: It is there with another name, or cannot be written.
        """
        told = f"mapper.{self.mapper}: {identity!r} {_called(name)}"
        with self._alone():
            text = self.read()
            users = read_user_map(text, self.delimiter)
            was = users.get(identity)
            if identity in users:
                if was == name:
                    return (f"{told} already",)
                if not self.may(was):
                    raise self._refused("that is somebody else's")
                if not replace:
                    problem = f"{identity!r} {_called(was)}; --replace changes that"
                    raise self._refused(problem)
            try:
                text = set_name(text, self.delimiter, identity, name)
            except ValueError as e:
                raise _refused("command line", str(e)) from None
            self._write(text)
        before = f"; before, it {_called(was)}" if identity in users else ""
        return f"{told}{before}", _TAKEN

    def drop(self, identity: str) -> tuple[str, ...]:
        """
        Take the line of *identity* out, and say so.

        Raises:
            ConfigError: There is none, or it cannot be written.
        """
        with self._alone():
            text = self.read()
            users = read_user_map(text, self.delimiter)
            if identity not in users or not self.may(users[identity]):
                raise self._refused(f"{identity!r} is not there")
            self._write(drop_identity(text, self.delimiter, identity))
        before = f"before, it {_called(users[identity])}"
        return f"mapper.{self.mapper}: {identity!r} is gone; {before}", _TAKEN

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """
        Keep others from changing the file.

        Raises:
            ConfigError: It is not there, or another is changing it.
        """
        try:
            with locked(self.path, PATIENCE):
                yield
        except TimeoutError as e:
            raise _refused(str(self.path), str(e)) from None
        except OSError as e:
            raise _refused(str(self.path), f"cannot be read: {e.strerror}") from None

    def _write(self, text: str) -> None:
        content = text.encode("utf-8")
        if len(content) > MOST_OCTETS:
            raise _refused(str(self.path), f"would have more than {MOST_OCTETS} octets")
        try:
            replace_content(self.path, content)
        except OSError as e:
            why = f"cannot be written anew for its owner: {e.strerror}"
            raise _refused(str(self.path), why) from None

    def _refused(self, problem: str) -> ConfigError:
        return _refused(f"mapper.{self.mapper}", problem)


def _mapped(chosen: argparse.Namespace) -> _Mapped:
    """
    Find the file, whatever else of the configuration is wrong.

    Raises:
        ConfigError: There is no such mapper, or it has no file.
    """
    if chosen.only == "":
        raise _refused("command line", "--only names nobody")
    draft = load_draft(chosen.config)
    path = f"mapper.{chosen.mapper}"
    mapper = draft.mappers.get(chosen.mapper)
    if mapper is None:
        mistakes = (mistake for mistake in draft.mistakes if mistake.path == path)
        raise ConfigError(*mistakes, Mistake(path, "is none that can be used"))
    if mapper.value.type != "file":
        raise _refused(path, f"has no file: it is of type {mapper.value.type!r}")
    directory = Path(mapper.value.directory)
    config = structure(
        mapper.value.options, FileMapperConfig, path=path, directory=directory
    )
    return _Mapped(
        mapper=chosen.mapper,
        path=Path(os.path.realpath(config.file)),
        delimiter=config.delimiter,
        openids=config.source == "subject" and _has_openids(draft, chosen.mapper),
        only=chosen.only,
    )


def _has_openids(draft: Draft, mapper: str) -> bool:
    """Say whether a mapper is asked who logs in with an OpenID."""
    return any(
        each.value.type == "openid2" and mapper in each.value.options.get("mappers", ())
        for each in draft.authenticators.values()
    )


def _check_openid(identity: str) -> None:
    """
    Refuse an OpenID that nobody will ever be looked up by.

    Raises:
        ConfigError: There is another form, in which it is looked up.
    """
    if "://" not in identity:
        return  # a user of another authenticator, perhaps
    _, mark, fragment = identity.partition("#")
    try:
        normal = f"{normal_url(identity)}{mark}{fragment}"
    except IdentifierError as e:
        raise _refused("command line", f"no OpenID: {e.detail}") from None
    if normal != identity:
        raise _refused("command line", f"as an OpenID, that is {normal!r}")


def _called(name: str | None) -> str:
    return "does not get in" if name is None else f"is {name!r}"


def _refused(where: str, problem: str) -> ConfigError:
    return ConfigError(Mistake(where, problem))
