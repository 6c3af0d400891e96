"""Times as WS-Security and SAML write them: ``xs:dateTime``, in UTC."""

import re
from datetime import UTC, datetime, timedelta

from sso_proxy.specs.xml import XmlError

_time = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,12})?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))?"
).fullmatch


def read_time(text: str) -> float:
    """
    Read a time and give it as seconds since the epoch.

    One without a zone is in UTC (SAML 2.0 section 1.3.3, WSS 1.1 section 10).

    Raises:
        XmlError: It is none.
    """
    found = _time(text)
    if found is None:
        raise XmlError("has a time that is none")
    day, fraction, sign, hours, minutes = found.groups()
    try:
        moment = datetime.strptime(f"{day}Z", "%Y-%m-%dT%H:%M:%S%z").astimezone(UTC)
        if sign:
            if int(hours) > 14 or int(minutes) > 59:
                raise XmlError("has a time that is none")
            away = timedelta(hours=int(hours), minutes=int(minutes))
            moment = moment - away if sign == "+" else moment + away
        return moment.timestamp() + float(fraction or 0)
    except (ValueError, OverflowError):
        raise XmlError("has a time that is none") from None
