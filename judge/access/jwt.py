"""Tokens that an identity provider signed (JWT, RFC 7519): checked against its published keys (JWKS, RFC 7517)."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge.access.rights import Caller, caller_of
from judge.errors import ConfigError, NotAuthenticated

if TYPE_CHECKING:
    from judge.access.tokens_file import JwtDocument

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Asymmetric ones only: a published key must not be able to sign."""

REFRESH = 300.0
"""Seconds after which the keys are read again."""
AT_MOST_EVERY = 10.0
"""An unknown key may be a new one, so the keys are read again, but not more often than this."""
TIMEOUT = 3.0
MAX_KEYS = 256 * 1024
_LEEWAY = 30.0


class JsonWebTokens:
    """Checks signature, issuer, audience and times, then looks up what the bearer may do."""

    def __init__(self, document: JwtDocument, *, folder: Path) -> None:
        """Take the settings; the keys are read when the first token comes.

        Raises
        ------
        ConfigError
            Where the extra ``jwt`` is not installed, or the file of keys is not there.
        """
        try:
            import jwt
        except ImportError:
            raise ConfigError("jwt needs the extra jwt: pip install '.[jwt]' in a checkout of judge") from None
        self._jwt = jwt
        self._document = document
        self._remote = document.keys.startswith("https://")
        self._file = folder / document.keys
        if not self._remote and not self._file.is_file():
            raise ConfigError(f"jwt.keys: neither an https address nor a file: {document.keys!r}")
        self._lock = threading.Lock()
        self._keys: Mapping[str, Any] = {}
        self._read_at = -1e18

    def caller(self, token: str, *, now: float) -> Caller:
        """Name the bearer of a token.

        Raises
        ------
        NotAuthenticated
            Where anything about the token is wrong; says what, but repeats nothing of it.
        """
        jwt = self._jwt
        try:
            head = jwt.get_unverified_header(token)
            key = self._key(str(head.get("kid", "")), now)
            claims = jwt.decode(
                token,
                key=key,
                algorithms=list(ALGORITHMS),
                audience=self._document.audience,
                issuer=self._document.issuer,
                options={"require": ["exp", "iss", "aud"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise NotAuthenticated(f"the signed token is not valid ({type(error).__name__})") from None
        _check_times(claims, now)
        for subject in self._document.subjects:
            if all(_has(claims, name, wanted) for name, wanted in subject.claims.items()):
                return caller_of(subject, name=subject.name)
        raise NotAuthenticated("the signed token is valid, but no subject of the tokens file fits its claims")

    def _key(self, kid: str, now: float) -> Any:
        with self._lock:
            age = now - self._read_at
            if age > REFRESH or (kid not in self._keys and age > AT_MOST_EVERY):
                self._keys = self._read()
                self._read_at = now
            found = self._keys.get(kid)
        if found is None and len(self._keys) == 1 and not kid:
            found = next(iter(self._keys.values()))
        if found is None:
            raise NotAuthenticated("the signed token names a key that the identity provider does not publish")
        return found

    def _read(self) -> Mapping[str, Any]:
        try:
            text = self._fetch() if self._remote else self._file.read_text(encoding="utf-8")
            listed = json.loads(text)["keys"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            if self._keys:
                return self._keys  # the last ones that were read
            raise NotAuthenticated(f"the identity provider's keys cannot be read ({type(error).__name__})") from None
        found = {}
        for item in listed:
            try:
                key = self._jwt.PyJWK(item)
            except self._jwt.PyJWTError:
                continue
            if key.key_type != "oct" and item.get("use", "sig") == "sig":
                found[str(item.get("kid", ""))] = key
        return found

    def _fetch(self) -> str:
        import requests

        verify = self._document.ca_file if self._document.ca_file else True
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(self._document.keys, timeout=TIMEOUT, allow_redirects=False, verify=verify, stream=True)
            if answer.status_code != 200:
                msg = f"status {answer.status_code}"
                raise OSError(msg)
            body = answer.raw.read(MAX_KEYS + 1, decode_content=True)
        if len(body) > MAX_KEYS:
            msg = "too long"
            raise OSError(msg)
        return str(body, "utf-8")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    """Compare with the given clock: a test has its own, and so has a replay."""
    for name, late in (("exp", True), ("nbf", False), ("iat", False)):
        value = claims.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise NotAuthenticated(f"the signed token's {name} is no time")
        if (late and now >= value + _LEEWAY) or (not late and now < value - _LEEWAY):
            raise NotAuthenticated("the signed token has run out" if late else "the signed token is not valid yet")


def _has(claims: Mapping[str, Any], name: str, wanted: str) -> bool:
    value = claims.get(name)
    return wanted in value if isinstance(value, list) else isinstance(value, str) and value == wanted
