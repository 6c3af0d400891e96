"""The parts of the ``openid2`` authenticator, and how they are made."""

from collections.abc import Sequence
from functools import partial

import attrs
from twisted.logger import Logger

from sso_proxy.authn.openid2_config import OpenId2Config
from sso_proxy.authn.openid2_log import Code, mark
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IClock, ITools, IUserMapper
from sso_proxy.model import DECLINED, Identity, MapperVerdict, Request, UserName
from sso_proxy.net.address_limit import AddressLimit
from sso_proxy.net.client_auth_parts import read_tls
from sso_proxy.net.openid2_fetch import Discovery
from sso_proxy.net.openid2_provider import NEEDS, PURPOSE, Providers
from sso_proxy.net.server_options import ServerOptions
from sso_proxy.net.threads import Threads
from sso_proxy.specs.user_name import is_safe_user_name

_log = Logger()

_EVERYBODY = "all"


@attrs.frozen(kw_only=True)
class Parts:
    """
    The parts.

    Attributes:
        name: What the configuration calls the authenticator.
        config: Its options.
        discovery: Fetches what identifiers say.
        providers: Asks providers.
        mappers: Know whose user name an identifier is.
        clock: The time.
        limit: Look-ups of what was typed, in all.
        address_limit: Look-ups and checks by each address.
    """

    name: str
    config: OpenId2Config
    discovery: Discovery
    providers: Providers
    mappers: Sequence[IUserMapper]
    clock: IClock
    limit: AddressLimit
    address_limit: AddressLimit

    def may_ask(self, request: Request, *, typed: bool = False) -> bool:
        """
        Count that somebody has us ask others, unless there were too many.

        Args:
            request: Theirs.
            typed: Whether they have also said whom: all together may not do that often.
        """
        if not self.address_limit.allows(request.client.address):
            return False
        return not typed or self.limit.allows(_EVERYBODY)

    async def user_of(self, identity: Identity) -> UserName | None:
        """
        Give the user name that somebody has, or None.

        A mapper that fails decides as well, by its exception.
        """
        for mapper in self.mappers:
            answer: UserName | MapperVerdict = await mapper.map_user(identity)
            if isinstance(answer, MapperVerdict):
                if answer is DECLINED:
                    continue
                return None
            return answer if is_safe_user_name(answer) else None
        return None


def build_parts(config: OpenId2Config, tools: ITools) -> Parts:
    """
    Build what *config* describes.

    Raises:
        ConfigError: A mapper or a file cannot be used, or there is no cache.
    """
    mappers = _find_mappers(config, tools)
    problems = [*config.problems()]
    if problems:
        lines = (f"{problem} {mark(Code.MISCONFIGURED)}" for problem in problems)
        raise ConfigError(*(Mistake("", line) for line in lines))
    now = tools.clock.time()
    tls = read_tls(ServerOptions(ca=config.ca), "", crl=config.crl, now=now)
    threads = tools.shared(
        ("openid2 threads",), partial(Threads, tools.reactor, "openid2", 1)
    )
    _log.info(
        "{name}: users are named by {mappers} {mark}",
        name=tools.name,
        mappers=", ".join(config.mappers),
        mark=mark(Code.MAPPERS),
        code=Code.MAPPERS.value,
    )
    return Parts(
        name=tools.name,
        config=config,
        discovery=Discovery(tools.http_client, config.rules, tools.clock, tls),
        providers=Providers(
            tools.http_client,
            cache=tools.cache(config.cache, NEEDS),
            sealer=tools.sealer(PURPOSE),
            clock=tools.clock,
            threads=threads,
            rules=config.rules,
            tls=tls,
            offers=config.offers,
        ),
        mappers=mappers,
        clock=tools.clock,
        limit=AddressLimit(tools.clock, config.lookups_per_minute),
        address_limit=AddressLimit(tools.clock, config.lookups_per_address),
    )


def _find_mappers(config: OpenId2Config, tools: ITools) -> list[IUserMapper]:
    """
    Give the mappers.

    Raises:
        ConfigError: One is not there (001), or cannot be made (003).
    """
    found, mistakes = [], []
    for number, name in enumerate(config.mappers):
        try:
            found.append(tools.mapper(name))
        except ConfigError as e:
            for each in e.mistakes:
                there = each.problem.startswith("needs ")
                code = Code.EXPRESSION if there else Code.MISSING
                problem = f"{each.problem} {mark(code)}"
                mistakes.append(Mistake(f"mappers[{number}]", problem))
    if mistakes:
        raise ConfigError(*mistakes)
    return found
