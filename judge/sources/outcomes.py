"""What became of a query, in one of few words, for those who count."""

from __future__ import annotations

import ssl

from urllib3.exceptions import NewConnectionError, ProtocolError, SSLError
from urllib3.exceptions import TimeoutError as UrllibTimeoutError

from judge.errors import QueryRejected


def outcome(error: BaseException | None, *, late: bool = False) -> str:
    """Name the outcome of a query that failed so (None where it was answered); `late` says that its time was up.

    Examples
    --------
    >>> outcome(None), outcome(QueryRejected("parse error")), outcome(ValueError(), late=True), outcome(ValueError())
    ('answered', 'refused', 'late', 'broken')
    """
    if error is None:
        return "answered"
    if isinstance(error, QueryRejected):
        return "refused"
    if late:
        return "late"
    cause = error.__cause__
    if isinstance(cause, SSLError | ssl.SSLError):
        return "tls"
    if isinstance(cause, NewConnectionError):
        return "unreachable"
    if isinstance(cause, TimeoutError | UrllibTimeoutError):
        return "late"
    if isinstance(cause, OSError) and not isinstance(cause, ProtocolError):
        return "unreachable"
    return "broken"
