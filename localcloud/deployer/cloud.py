"""The endpoint that is deployed to."""

import threading
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

from localcloud.deployer.errors import DeployError

POOL = 16


class Cloud:
    """boto3 clients on one endpoint, with the usual AWS credentials of the environment.

    Parameters
    ----------
    endpoint : `http://127.0.0.1:PORT`
    region : AWS region
    """

    def __init__(self, endpoint: str, region: str) -> None:
        self.region = region
        self.endpoint = endpoint
        self._session = boto3.Session(region_name=region)
        if self._session.get_credentials() is None:
            raise DeployError(
                "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        self._config = Config(
            retries={"mode": "standard", "max_attempts": 3},
            max_pool_connections=POOL,
            connect_timeout=5,
            read_timeout=30,
        )
        self._clients: dict[str, Any] = {}
        # Clients may be used by many threads, but a session makes them one at a time.
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """Return the one client of a service."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(
                    service, endpoint_url=self.endpoint, config=self._config
                )
            return self._clients[service]

    @cached_property
    def account(self) -> str:
        """The account that the credentials belong to."""
        return str(self.client("sts").get_caller_identity()["Account"])
