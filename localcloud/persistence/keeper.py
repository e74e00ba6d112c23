"""Keeps what calls change, and puts it back at the start."""

import sqlite3
from typing import Any

from moto.core.request import Request

from localcloud.context import CloudContext
from localcloud.identity.call import ApiCall
from localcloud.persistence.definitions import Application, record_definition, replay_definitions
from localcloud.persistence.items import Items
from localcloud.persistence.journal import Journal
from localcloud.persistence.mails import Mails
from localcloud.persistence.objects import Objects

KEPT = frozenset({"s3", "dynamodb", "sagemaker", "sesv2", "ses", "secretsmanager"})


class Keeper:
    """The one door between calls and the journal."""

    def __init__(self, context: CloudContext) -> None:
        self._context = context
        self._journal = Journal(context.journal_path)
        self._objects = Objects(self._journal, context.home / "objects", context.account)
        self._items = Items(self._journal, context.account, context.region)
        self._mails = Mails(self._journal, context)

    def restore(self, application: Application) -> None:
        """Make buckets, tables and secrets again through moto, and fill them."""
        replay_definitions(self._journal, application, self._context.region)
        self._restore_secret_arns()
        self._objects.restore()
        self._items.restore()
        self._mails.restore()

    def record(self, call: ApiCall, request: Request, body: bytes) -> None:
        """Write down what a successful call changed; the caller holds the service's lock."""
        if call.service == "s3":
            self._objects.record(call)
        elif call.service == "dynamodb":
            self._items.record(call)
        elif call.service in {"ses", "sesv2"}:
            self._mails.record(call)
            return
        if call.operation.startswith(("Get", "List", "Head", "Describe", "Query", "Scan")):
            return
        with self._journal.transaction() as connection:
            record_definition(connection, call, request, body)
            if (call.service, call.operation) == ("secretsmanager", "CreateSecret"):
                self._keep_secret_arn(connection, str(call.parameters["Name"]))

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def _secrets(self) -> Any:
        from moto.secretsmanager.models import secretsmanager_backends

        return secretsmanager_backends[self._context.account][self._context.region].secrets

    def _keep_secret_arn(self, connection: sqlite3.Connection, name: str) -> None:
        arn = self._secrets()[name].arn
        connection.execute("INSERT OR REPLACE INTO secrets VALUES (?, ?)", (name, arn))

    def _restore_secret_arns(self) -> None:
        """Give secrets made again the random suffix that their ARN had before."""
        rows = self._journal.read("SELECT name, arn FROM secrets")
        secrets = self._secrets() if rows else {}
        for name, arn in rows:
            if name in secrets:
                secrets[name].arn = arn
