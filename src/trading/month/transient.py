"""Which failures of AWS may pass, so that the state machine calls the station again.

A station is safe to repeat. What AWS refuses for good (permissions, a malformed request) is not
tried again: it fails the month at once, with its reason.
"""

from collections.abc import Iterator

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
)

PASSING = frozenset(
    {
        "BandwidthLimitExceeded",
        "ConditionalRequestConflict",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "LimitExceededException",
        "OperationAborted",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestExpired",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeTooSkewed",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
"""Error codes after which the same request may succeed, beside every status of 500 and more."""
SKEWED = ("Signature expired", "Signature not yet current")
"""How services without a code for it say that the caller's clock is off."""
FOR_GOOD = (NoCredentialsError, ParamValidationError)


def may_pass(error: BaseException) -> bool:
    """Tell whether AWS's failure, anywhere among the causes of `error`, may pass."""
    return any(_passes(cause) for cause in _causes(error))


def _passes(error: BaseException) -> bool:
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        told = error.response.get("Error", {})
        if told.get("Code") == "InvalidSignatureException":
            return str(told.get("Message", "")).startswith(SKEWED)
        return told.get("Code") in PASSING or status >= 500
    if isinstance(error, BotoCoreError):
        return isinstance(error, HTTPClientError) or not isinstance(error, FOR_GOOD)
    return False


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__
