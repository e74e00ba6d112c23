"""Which failures of AWS are tried again, however deep they lie, and which never."""

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from trading.errors import ConflictError, StoreError
from trading.month.transient import may_pass


def refusal(code: str, status: int = 400, message: str = "") -> ClientError:
    error = {"Code": code, "Message": message}
    answer = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Call")  # type: ignore[arg-type]


def name_of(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return type(error).__name__


def caused_by(cause: BaseException) -> Exception:
    try:
        try:
            raise StoreError("cannot read") from cause
        except StoreError as error:
            raise StoreError("cannot go on") from error
    except StoreError as error:
        return error


@pytest.mark.parametrize(
    "error",
    [
        refusal("ProvisionedThroughputExceededException"),
        refusal("SlowDown", 503),
        refusal("ConditionalRequestConflict", 409),
        refusal("OperationAborted", 409),
        refusal("ThrottlingException"),
        refusal("RequestTimeTooSkewed", 403),
        refusal("anything", 500),
        refusal("InvalidSignatureException", 403, "Signature expired: 20250203T070000Z is ..."),
        ReadTimeoutError(endpoint_url="https://s3"),
        ConnectTimeoutError(endpoint_url="https://s3"),
        EndpointConnectionError(endpoint_url="https://s3"),
    ],
    ids=name_of,
)
def test_what_may_pass(error: Exception) -> None:
    assert may_pass(error)
    assert may_pass(caused_by(error))


@pytest.mark.parametrize(
    "error",
    [
        refusal("AccessDenied", 403),
        refusal("ValidationException"),
        refusal("InvalidSignatureException", 403, "The request signature does not match"),
        refusal("ResourceNotFoundException"),
        NoCredentialsError(),
        ParamValidationError(report="wrong"),
        ConflictError("taken"),
        ValueError("a mistake of ours"),
    ],
    ids=name_of,
)
def test_what_will_not_pass(error: Exception) -> None:
    assert not may_pass(error)
    assert not may_pass(caused_by(error))


def test_a_circle_of_causes_ends() -> None:
    first, second = StoreError("a"), StoreError("b")
    first.__cause__, second.__cause__ = second, first
    assert not may_pass(first)
