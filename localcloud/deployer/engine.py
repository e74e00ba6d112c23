"""The engine: brings each registered resource about, and removes what is no longer registered."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.deployer.cloud import Cloud
from localcloud.deployer.diff import Difference, differences
from localcloud.deployer.errors import DeployError, ProtectedError
from localcloud.deployer.handler import Handler, Inputs, Live, handler_for, is_existing
from localcloud.deployer.inert import INERT, inert_outputs
from localcloud.deployer.state import Entry, State, input_hashes


class Action(StrEnum):
    """What becomes of a resource.

    `restored`: deployed before and unchanged, but lost by the cloud, which keeps it in memory only;
    `adopted`: found in the cloud without being known to the state.
    """

    CREATED = "created"
    RESTORED = "restored"
    ADOPTED = "adopted"
    UPDATED = "updated"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    RETAINED = "retained"
    INERT = "inert"


@dataclass(frozen=True)
class Change:
    """What became of one resource, or will in a preview.

    Attributes
    ----------
    keys : the inputs that differ
    reason : why, of an inert resource
    properties : what differs in them
    """

    urn: str
    action: Action
    keys: Sequence[str] = ()
    reason: str | None = None
    properties: Sequence[Difference] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values, without what is empty."""
        shown: dict[str, Any] = {"urn": self.urn, "action": str(self.action)}
        if self.keys:
            shown["keys"] = list(self.keys)
        if self.properties:
            shown["properties"] = [one.to_dict() for one in self.properties]
        return shown | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True)
class Registration:
    """What the program registers: a resource with its inputs and options.

    `shown` are the inputs with their secrets masked.
    """

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]
    dependencies: Sequence[str] = ()
    protect: bool = False
    retain: bool = False
    ignored: Sequence[str] = ()
    shown: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Engine:
    """Deploys registrations.

    Parameters
    ----------
    cloud : where to
    state : what was deployed before
    preview : only say what would be done
    """

    cloud: Cloud
    state: State
    preview: bool = False
    changes: list[Change] = field(default_factory=list)
    _registered: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def counts(self) -> dict[str, int]:
        """Return how many resources each action befell."""
        counted = Counter(str(change.action) for change in self.changes)
        return {str(action): counted[str(action)] for action in Action}

    def register(self, registration: Registration) -> tuple[str, dict[str, Any]]:
        """Bring a resource about and return its id and outputs, inputs included."""
        urn = registration.urn
        with self._lock:
            if urn in self._registered:
                raise DeployError(f"{urn} is registered twice: every resource needs its own name")
            self._registered.add(urn)
        if registration.type in INERT:
            self._note(Change(urn, Action.INERT, reason=INERT[registration.type]))
            name, inputs = registration.name, registration.inputs
            return inert_outputs(registration.type, name, urn, inputs)
        handler = handler_for(registration.type, urn, self.cloud)
        try:
            live = self._reconcile(handler, registration)
        except (ClientError, BotoCoreError) as error:
            raise DeployError(f"{urn} could not be deployed: {error}") from error
        return live.id, {**registration.inputs, **live.outputs}

    def look_up(self, type_: str, urn: str, identity: str) -> dict[str, Any]:
        """Return the outputs of a resource that exists outside the program."""
        live = handler_for(type_, urn, self.cloud).read(identity, {})
        if live is None:
            raise DeployError(f"there is no {type_} with the id {identity}, as {urn} expects")
        return live.outputs

    def prune(self) -> None:
        """Delete what the state holds and the program no longer registers."""
        self._delete([urn for urn in self.state.entries if urn not in self._registered])

    def destroy(self) -> None:
        """Delete everything that the state holds."""
        self._delete(list(self.state.entries))

    def _reconcile(self, handler: Handler, registration: Registration) -> Live:
        inputs = {k: v for k, v in registration.inputs.items() if v is not None}
        entry = self.state.entries.get(registration.urn)
        if entry is not None and entry.type != registration.type:
            entry = None
        if entry is None and not self.preview:
            return self._begin(handler, registration, inputs)
        if entry is None:  # in a preview: what it hangs on may not be there yet, to ask about it
            self._note(Change(registration.urn, Action.CREATED))
            return Live(handler.identify(inputs) or "", {})
        live = handler.read(entry.id, inputs)
        action, keys = _decide(handler, registration, entry, live)
        properties = _properties(registration, entry, keys)
        if not self.preview:
            live = self._apply(handler, action, entry.id, live, inputs, registration.urn)
            self.state.put(registration.urn, _entry(registration, live))
        self._note(Change(registration.urn, action, keys, properties=properties))
        return live or Live(entry.id, dict(entry.outputs))

    def _begin(self, handler: Handler, registration: Registration, inputs: Inputs) -> Live:
        """Create what the state does not know, or adopt what is there already."""
        action = Action.CREATED
        try:
            live = handler.create(inputs)
        except ClientError as error:
            identity = handler.identify(inputs) if is_existing(error) else None
            existing = handler.read(identity, inputs) if identity else None
            if existing is None:
                raise
            handler.update(existing.id, inputs)
            live, action = existing, Action.ADOPTED
        self.state.put(registration.urn, _entry(registration, live))
        self._note(Change(registration.urn, action))
        return live

    def _apply(
        self,
        handler: Handler,
        action: Action,
        identity: str,
        live: Live | None,
        inputs: Inputs,
        urn: str,
    ) -> Live:
        if action is Action.REPLACED:
            self._require_deletable([urn])
            if live is not None:
                handler.delete(live.id)
            return handler.create(inputs)
        if live is None:
            return handler.restore(identity, inputs)
        if action is Action.UPDATED:
            handler.update(live.id, inputs)
        return live

    def _delete(self, urns: Sequence[str]) -> None:
        self._require_deletable(urns)
        for urn in self.state.deletion_order(urns):
            entry = self.state.entries[urn]
            action = Action.RETAINED if entry.retain else Action.DELETED
            if not self.preview:
                if not entry.retain:
                    self._delete_one(urn, entry)
                self.state.remove(urn)
            self._note(Change(urn, action))

    def _delete_one(self, urn: str, entry: Entry) -> None:
        try:
            handler_for(entry.type, urn, self.cloud).delete(entry.id)
        except (ClientError, BotoCoreError) as error:
            raise DeployError(f"{urn} could not be deleted: {error}") from error

    def _require_deletable(self, urns: Sequence[str]) -> None:
        protected = [
            urn for urn in urns if urn in self.state.entries and self.state.entries[urn].protect
        ]
        if protected:
            raise ProtectedError(
                f"{len(protected)} protected resource(s) would be deleted, first {protected[0]}:"
                " set trading:protect to false and deploy once before"
            )

    def _note(self, change: Change) -> None:
        with self._lock:
            self.changes.append(change)


def _decide(
    handler: Handler, registration: Registration, entry: Entry, live: Live | None
) -> tuple[Action, list[str]]:
    hashes = input_hashes(registration.inputs)
    differing = sorted(
        name
        for name in {*hashes, *entry.inputs} - set(registration.ignored)
        if hashes.get(name) != entry.inputs.get(name)
    )
    if handler.replace_on & set(differing):
        return Action.REPLACED, differing
    if differing or (live is not None and live.drifted):
        return Action.UPDATED, differing
    return (Action.RESTORED if live is None else Action.UNCHANGED), []


def _properties(registration: Registration, entry: Entry, keys: Sequence[str]) -> list[Difference]:
    """Return what differs in the inputs of these names; a secret only says that it does."""
    found: list[Difference] = []
    for name in keys:
        old, new = entry.shown.get(name), registration.shown.get(name)
        inner = list(differences(old, new, name))
        found += inner or [Difference(name, old, new)]
    return found


def _entry(registration: Registration, live: Live) -> Entry:
    return Entry(
        type=registration.type,
        id=live.id,
        inputs=input_hashes(registration.inputs),
        dependencies=tuple(registration.dependencies),
        protect=registration.protect,
        retain=registration.retain,
        shown={k: v for k, v in registration.shown.items() if v is not None},
        outputs=live.outputs,
    )
