"""Ask Redis Sentinels where the master is."""

from collections.abc import Sequence

from sso_proxy.caches.redis_dial import Access, Dialler, Place, check
from sso_proxy.caches.redis_resp import Reply
from sso_proxy.errors import UnavailableError


class Sentinels:
    """
    Knows who knows the master.

    Args:
        places: Where the Sentinels are.
        master: What they call the master.
        access: How they are spoken to.
        dialler: Makes connections.
    """

    def __init__(
        self, places: Sequence[Place], master: str, access: Access, dialler: Dialler
    ) -> None:
        self._places = [*places]
        self._master = master
        self._access = access
        self._dialler = dialler

    async def find(self) -> Place:
        """
        Ask one after the other, at first the one that knew it the last time.

        Raises:
            UnavailableError: None knows it.
        """
        problems = []
        for place in [*self._places]:
            try:
                found = await self._ask(place)
            except UnavailableError as e:
                problems.append(e.what)
                continue
            self._places.remove(place)
            self._places.insert(0, place)
            return found
        raise UnavailableError(
            f"no Sentinel knows {self._master}: {'; '.join(problems)}"
        )

    async def _ask(self, place: Place) -> Place:
        link = await self._dialler.dial(place, self._access)
        try:
            name = self._master.encode()
            question = (b"SENTINEL", b"get-master-addr-by-name", name)
            found = check(link, await link.send(*question))
        finally:
            link.close()
        if (answer := read_place(found)) is None:
            raise UnavailableError(f"{place}: does not know it")
        return answer


def read_place(reply: Reply) -> Place | None:
    """Read host and port, or nothing if that is not what they are."""
    match reply:
        case [bytes(host), bytes(port)] if port.isdigit() and host.isascii():
            if 0 < len(host) <= 255 and 0 < int(port[:6]) < 65536:
                return Place(host.decode("ascii"), int(port))
    return None
