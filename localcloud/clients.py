"""boto3 clients on one endpoint; making one is slow and not safe for threads, using one is both."""

import threading
from typing import Any

import boto3
from botocore.config import Config

from localcloud.identity.credentials import Credentials

_LIMIT = 64
_LAMBDA_SECONDS = 900


class Clients:
    """Makes clients one at a time and keeps the last `_LIMIT` of them.

    Parameters
    ----------
    endpoint
        URL of the cloud.
    region
        Its region.
    """

    def __init__(self, endpoint: str, region: str) -> None:
        self._endpoint = endpoint
        self._region = region
        self._lock = threading.Lock()
        self._session = boto3.Session(region_name=region)
        self._made: dict[tuple[str, str, bool], Any] = {}

    def get(self, service: str, keys: Credentials, *, checked: bool = True) -> Any:
        """Return a client; without `checked` it sends parameters as they are and never retries."""
        name = (service, keys.access_key_id, checked)
        with self._lock:
            client = self._made.pop(name, None) or self._make(service, keys, checked)
            self._made[name] = client
            while len(self._made) > _LIMIT:
                del self._made[next(iter(self._made))]
        return client

    def _make(self, service: str, keys: Credentials, checked: bool) -> Any:
        return self._session.client(
            service,
            endpoint_url=self._endpoint,
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
            aws_session_token=keys.session_token,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": 3 if checked else 1},
                parameter_validation=checked,
                max_pool_connections=32,
                read_timeout=_LAMBDA_SECONDS + 60,
            ),
        )
