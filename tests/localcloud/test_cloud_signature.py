"""Signatures: those of botocore are accepted, and no others."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from localcloud.identity.signature import Signed, read_signature, verify

KEYS = Credentials("AKIAEXAMPLE", "the secret", "a token")
SAFE = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.~", min_size=1, max_size=12)


def sign(
    path: str, query: str = "", body: bytes = b"", *, service: str = "s3"
) -> tuple[Signed, Headers, str]:
    url = f"http://127.0.0.1:8080{path}" + (f"?{query}" if query else "")
    request = AWSRequest("PUT", url, headers={"X-Amz-Meta-A": "  two  words "}, data=body)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(KEYS, service, "us-east-1").add_auth(request)
    headers = Headers(list(request.headers.items()))
    headers.setdefault("Host", "127.0.0.1:8080")
    signed = read_signature(headers, query)
    assert signed is not None
    return signed, headers, path


@given(st.lists(SAFE, min_size=1, max_size=4), st.dictionaries(SAFE, SAFE, max_size=3))
def test_botocores_signature_is_accepted(parts: list[str], query: dict[str, str]) -> None:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    signed, headers, path = sign("/" + "/".join(parts), text)
    assert signed.scope.access_key_id == "AKIAEXAMPLE"
    assert signed.token == "a token"
    assert verify(signed, "the secret", "PUT", path, headers, b"")


def test_paths_of_other_services_are_encoded_twice() -> None:
    path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Af/invocations"
    signed, headers, _ = sign(path, body=b"{}", service="lambda")
    assert verify(signed, "the secret", "PUT", path, headers, b"{}")


@pytest.mark.parametrize("change", ["secret", "method", "path", "body", "header", "query"])
def test_whatever_is_changed_after_signing_is_noticed(change: str) -> None:
    signed, headers, path = sign("/a/b", "x=1", b"{}", service="dynamodb")
    arguments = {"secret": "the secret", "method": "PUT", "path": path, "body": b"{}"}
    if change == "header":
        headers["X-Amz-Meta-A"] = "other"
    elif change == "query":
        signed = Signed(**{**vars_of(signed), "query": "x=2"})
    else:
        arguments[change] = {"secret": "no", "method": "GET", "path": "/a/c", "body": b"[]"}[change]
    assert not verify(
        signed,
        str(arguments["secret"]),
        str(arguments["method"]),
        str(arguments["path"]),
        headers,
        bytes(arguments["body"]),  # type: ignore[arg-type]
    )


def vars_of(signed: Signed) -> dict[str, object]:
    return {name: getattr(signed, name) for name in signed.__dataclass_fields__}


def test_a_presigned_address_is_accepted_until_it_expires() -> None:
    request = AWSRequest(
        "GET", "http://127.0.0.1:8080/bucket/key", headers={"Host": "127.0.0.1:8080"}
    )
    S3SigV4QueryAuth(KEYS, "s3", "us-east-1", expires=60).add_auth(request)
    query = request.url.partition("?")[2]
    headers = Headers({"Host": "127.0.0.1:8080"})
    signed = read_signature(headers, query)
    assert signed is not None
    assert verify(signed, "the secret", "GET", "/bucket/key", headers, b"")
    now = datetime.now(UTC)
    assert signed.in_time(now)
    assert not signed.in_time(now + timedelta(seconds=120))


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic abc", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b/c, Signature=x"],
)
def test_what_is_no_signature_is_not_taken_for_one(authorization: str) -> None:
    assert read_signature(Headers({"Authorization": authorization}), "") is None
