"""Signature Version 4: who signed a request, and whether with the secret of that key.

Source: AWS, "Create a signed AWS API request" (Signature Version 4).
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote

from botocore.utils import normalize_url_path
from werkzeug.datastructures import Headers

from localcloud.identity.call import Scope

ALGORITHM = "AWS4-HMAC-SHA256"
_CLOCK_SKEW = timedelta(minutes=15)


@dataclass(frozen=True)
class Signed:
    """What is needed to check a signature."""

    scope: Scope
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    token: str | None
    payload_hash: str | None
    query: str
    expires: timedelta

    def in_time(self, now: datetime) -> bool:
        """Tell whether the request was signed recently enough."""
        try:
            moment = datetime.strptime(self.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            return False
        return moment - _CLOCK_SKEW <= now <= moment + self.expires


def read_signature(headers: Headers, query: str) -> Signed | None:
    """Return the signature in a request's headers or query string; None when there is none."""
    authorization = headers.get("Authorization", "")
    if authorization.startswith(ALGORITHM):
        return _from_header(headers, authorization, query)
    if "X-Amz-Signature=" in query:
        return _from_query(query)
    return None


def _from_header(headers: Headers, authorization: str, query: str) -> Signed | None:
    pairs = (part.strip().partition("=") for part in authorization[len(ALGORITHM) :].split(","))
    parts = {name: value for name, _, value in pairs}
    scope = _scope(parts.get("Credential", ""))
    if scope is None or "Signature" not in parts:
        return None
    return Signed(
        scope=scope,
        signed_headers=tuple(parts.get("SignedHeaders", "").split(";")),
        signature=parts["Signature"],
        timestamp=headers.get("X-Amz-Date", ""),
        token=headers.get("X-Amz-Security-Token"),
        payload_hash=headers.get("X-Amz-Content-SHA256"),
        query=query,
        expires=_CLOCK_SKEW,
    )


def _from_query(query: str) -> Signed | None:
    fields = {name: values[0] for name, values in parse_qs(query).items()}
    scope = _scope(fields.get("X-Amz-Credential", ""))
    seconds = fields.get("X-Amz-Expires", "0")
    if scope is None or not seconds.isdecimal():
        return None
    rest = [pair for pair in query.split("&") if not pair.startswith("X-Amz-Signature=")]
    return Signed(
        scope=scope,
        signed_headers=tuple(fields.get("X-Amz-SignedHeaders", "").split(";")),
        signature=fields["X-Amz-Signature"],
        timestamp=fields.get("X-Amz-Date", ""),
        token=fields.get("X-Amz-Security-Token"),
        payload_hash="UNSIGNED-PAYLOAD",
        query="&".join(rest),
        expires=timedelta(seconds=int(seconds)),
    )


def _scope(credential: str) -> Scope | None:
    parts = credential.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request":
        return None
    return Scope(parts[0], parts[1], parts[2], parts[3].lower())


def verify(
    signed: Signed, secret: str, method: str, path: str, headers: Headers, body: bytes
) -> bool:
    """Tell whether a request was signed with `secret`; `path` is as it arrived, still encoded."""
    scope = signed.scope
    canonical = "\n".join(
        [
            method,
            path if scope.signing_name == "s3" else quote(normalize_url_path(path), safe="/~"),
            _canonical_query(signed.query),
            *(f"{name}:{_header(headers, name)}" for name in signed.signed_headers),
            "",
            ";".join(signed.signed_headers),
            signed.payload_hash or hashlib.sha256(body).hexdigest(),
        ]
    )
    credential_scope = f"{scope.date}/{scope.region}/{scope.signing_name}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join([ALGORITHM, signed.timestamp, credential_scope, digest])
    key = f"AWS4{secret}".encode()
    for part in (*credential_scope.split("/"), to_sign):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.compare_digest(key.hex(), signed.signature)


def _canonical_query(query: str) -> str:
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    return "&".join(f"{name}={value}" for name, _, value in sorted(pairs))


def _header(headers: Headers, name: str) -> str:
    return " ".join(headers.get(name, "").split())
