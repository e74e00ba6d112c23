"""Who an access key belongs to, and which policies hold for them."""

import json
import secrets
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from localcloud.errors import CloudError
from localcloud.identity.credentials import Credentials
from localcloud.identity.policy import Statement, parse
from localcloud.identity.resources import Place

PARTITION = "aws"
OPERATOR = "operator"
_SESSION = timedelta(hours=12)
_EVERYTHING = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
)


@dataclass(frozen=True)
class Principal:
    """A user or a session of a role, with what is needed to check its signature."""

    arn: str
    account: str
    secret_access_key: str
    session_token: str | None = None
    expires: datetime | None = None
    role_name: str | None = None
    user_name: str | None = None


def new_operator_keys() -> Credentials:
    """Return fresh random keys for an administrator."""
    key = "AKIA" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16))
    letters = string.ascii_letters + string.digits + "+/"
    return Credentials(key, "".join(secrets.choice(letters) for _ in range(40)))


class Principals:
    """The users and role sessions of one account, as moto's IAM and STS know them."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._sessions: dict[str, Any] = {}

    @property
    def _iam(self) -> Any:
        return iam_backends[self._place.account][PARTITION]

    @property
    def _sts(self) -> Any:
        return sts_backends[self._place.account][PARTITION]

    def add_operator(self, keys: Credentials) -> None:
        """Create the administrator with these keys."""
        self._iam.create_user(self._place.region, OPERATOR)
        self._iam.put_user_policy(OPERATOR, "administrator", _EVERYTHING)
        key = self._iam.create_access_key(OPERATOR)
        del self._iam.access_keys[key.access_key_id]
        key.access_key_id, key.secret_access_key = keys.access_key_id, keys.secret_access_key
        self._iam.access_keys[key.access_key_id] = key

    def find(self, access_key_id: str) -> Principal | None:
        """Return whose key this is; None when nobody's, or when it is inactive."""
        session = self._session(access_key_id)
        if session is not None:
            name = session.role_arn.rpartition("/")[2]
            return Principal(
                arn=session.arn,
                account=self._place.account,
                secret_access_key=session.secret_access_key,
                session_token=session.session_token,
                expires=_aware(session.expiration),
                role_name=name,
            )
        key = self._iam.access_keys.get(access_key_id)
        if key is None or key.user_name is None or key.status != "Active":
            return None
        return Principal(
            arn=self._place.global_arn("iam", f"user/{key.user_name}"),
            account=self._place.account,
            secret_access_key=key.secret_access_key,
            user_name=key.user_name,
        )

    def statements(self, principal: Principal) -> list[Statement]:
        """Return every statement of the identity-based policies of a principal.

        A role that was deleted has none. Raises `CloudError` for a policy that is not evaluated.
        """
        found: list[Statement] = []
        for name, document in self._documents(principal):
            found.extend(parse(name, document))
        return found

    def boundary(self, principal: Principal) -> tuple[Statement, ...] | None:
        """Return the statements of a principal's permissions boundary; None when it has none.

        A boundary that does not exist any more allows nothing.
        """
        held = [one.permissions_boundary_arn for one in self._roles(principal)]
        arn = next((one for one in held if one), None)
        if arn is None:
            return None
        policy = self._iam.managed_policies.get(arn)
        return parse(policy.name, _default_document(policy)) if policy is not None else ()

    def tags(self, principal: Principal) -> Mapping[str, str]:
        """Return the tags of a principal's role."""
        roles = self._roles(principal)
        return {one["Key"]: one["Value"] for role in roles for one in role.tags or ()}

    def trust(self, role_arn: str) -> tuple[Statement, ...]:
        """Return the statements of a role's trust policy; raises `CloudError` without the role."""
        role = self._role(role_arn)
        return parse(f"{role.name}/trust", role.assume_role_policy_document)

    def assume(self, role_arn: str, session_name: str) -> Credentials:
        """Start a session of a role; raises `CloudError` when there is no such role."""
        self._role(role_arn)
        self._forget_expired()
        session = self._sts.assume_role(
            region_name=self._place.region,
            role_session_name=session_name,
            role_arn=role_arn,
            policy="",
            duration=int(_SESSION.total_seconds()),
            external_id="",
        )
        return Credentials(
            session.access_key_id,
            session.secret_access_key,
            session.session_token,
            _aware(session.expiration),
        )

    def session_arn(self, role_arn: str, session_name: str) -> str:
        """Return the ARN of a role's session."""
        role = role_arn.rpartition("/")[2]
        return self._place.global_arn("sts", f"assumed-role/{role}/{session_name}")

    def of_role(self, role_arn: str, session_name: str) -> Principal:
        """Return a session of a role as a principal, for a decision without a request."""
        self._role(role_arn)
        return Principal(
            arn=self.session_arn(role_arn, session_name),
            account=self._place.account,
            secret_access_key="",
            role_name=role_arn.rpartition("/")[2],
        )

    def _role(self, role_arn: str) -> Any:
        name = role_arn.rpartition("/")[2]
        role = next((one for one in list(self._iam.roles.values()) if one.name == name), None)
        if role is None or not role_arn.startswith("arn:"):
            raise CloudError(f"there is no role {role_arn}; create it before it is assumed")
        return role

    def _session(self, access_key_id: str) -> Any:
        found = self._sessions.get(access_key_id)
        if found is None and access_key_id.startswith("ASIA"):
            self._sessions = {one.access_key_id: one for one in list(self._sts.assumed_roles)}
            found = self._sessions.get(access_key_id)
        return found

    def _forget_expired(self) -> None:
        """Drop sessions a while after their end, so that a cloud that stays up does not grow."""
        limit = datetime.now(UTC) - _SESSION
        kept = [one for one in self._sts.assumed_roles if _aware(one.expiration) > limit]
        if len(kept) < len(self._sts.assumed_roles):
            self._sts.assumed_roles[:] = kept
            self._sessions.clear()

    def _documents(self, principal: Principal) -> Iterator[tuple[str, str]]:
        holders = self._roles(principal)
        if principal.role_name is None:
            user = self._iam.get_user(principal.user_name)
            holders = [user, *self._iam.get_groups_for_user(principal.user_name)]
        for holder in holders:
            for name, document in list(holder.policies.items()):
                yield f"{holder.name}/{name}", document
            for policy in list(holder.managed_policies.values()):
                yield policy.name, _default_document(policy)

    def _roles(self, principal: Principal) -> list[Any]:
        if principal.role_name is None:
            return []
        return [one for one in list(self._iam.roles.values()) if one.name == principal.role_name]


def _default_document(policy: Any) -> str:
    default = policy.default_version_id
    version = next(one for one in policy.versions if one.version_id == default)
    return str(version.document)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
