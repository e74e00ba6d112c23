"""The gate that every call passes: who asks, and whether they may."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.core.request import Request

from localcloud.errors import CloudError
from localcloud.identity.access import requirements
from localcloud.identity.audit import AuditTrail
from localcloud.identity.call import ApiCall, read_call, service_of
from localcloud.identity.context_keys import Keys, principal_keys, request_keys, resource_tags
from localcloud.identity.credentials import Credentials
from localcloud.identity.denial import RefusedError
from localcloud.identity.judgement import judge, judge_service
from localcloud.identity.policy import Decision, Requirement, evaluate
from localcloud.identity.principals import Principal, Principals
from localcloud.identity.resource_policies import resource_policy
from localcloud.identity.resources import Place
from localcloud.identity.signature import Signed, read_signature, verify

Statements = Sequence[Mapping[str, Any]]
# AWS allows these to everyone, whatever the policies say
_ALWAYS_ALLOWED = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken"})


@dataclass(frozen=True)
class Admitted:
    """A permitted call: who makes it, with which key, and the permissions that it needed."""

    call: ApiCall
    access_key_id: str
    principal: Principal
    needs: tuple[Requirement, ...]

    @property
    def arn(self) -> str:
        """ARN of the caller."""
        return self.principal.arn


class Guard:
    """Authenticates and authorises calls, and issues the credentials of roles."""

    def __init__(self, principals: Principals, audit: AuditTrail, place: Place) -> None:
        self._principals = principals
        self._audit = audit
        self._place = place

    def identify(self, request: Request) -> tuple[str, Signed]:
        """Return the service that a request is for and its signature; raises `RefusedError`."""
        query = request.query_string.decode("latin-1")
        signed = read_signature(request.headers, query)
        if signed is None:
            raise RefusedError("unsigned", "the request is not signed with AWS Signature Version 4")
        return service_of(signed.scope, request.path), signed

    def admit(self, service: str, signed: Signed, request: Request, body: bytes) -> Admitted:
        """Return the call of an authentic and permitted request; raises `RefusedError`."""
        principal = self._authenticate(signed, request, body)
        call = read_call(service, request, body)
        if call is None:
            raise RefusedError(
                "operation", f"{service} has no operation for {request.method} {request.path}"
            )
        needs = tuple(requirements(call, self._place))
        asked = request_keys(call)
        for requirement in needs:
            self._require(principal, requirement, asked)
        if call.service == "sts" and call.operation == "AssumeRole":
            self._require_trust(str(call.parameters.get("RoleArn")), "AWS", principal)
        return Admitted(call, signed.scope.access_key_id, principal, needs)

    def may_know(self, admitted: Admitted, bucket: str) -> bool:
        """Decide whether the caller may learn that an object of a bucket does not exist."""
        listing = Requirement("s3:ListBucket", f"arn:aws:s3:::{bucket}")
        return self._decide(admitted.principal, listing, {}).allowed

    def assume(self, role_arn: str, session_name: str, *, service: str | None) -> Credentials:
        """Return temporary credentials; `service` (`lambda.amazonaws.com`) must be trusted."""
        if service is not None and not self._trusts(role_arn, "Service", [service]):
            raise CloudError(
                f"the trust policy of {role_arn} does not let {service} assume the role; add it "
                "as a Service principal with sts:AssumeRole"
            )
        return self._principals.assume(role_arn, session_name)

    def allowed(self, role_arn: str, session_name: str, action: str, resource: str) -> bool:
        """Decide and record whether a session of the role may do this."""
        principal = self._principals.of_role(role_arn, session_name)
        return self._decide(principal, Requirement(action, resource), {}).allowed

    def service_allowed(
        self, service: str, action: str, resource: str, source: str, statements: Statements
    ) -> bool:
        """Decide and record whether a resource's policy admits a service on behalf of a source."""
        decision = judge_service(service, action, resource, source, statements)
        self._audit.record(service, Requirement(action, resource), decision)
        return decision.allowed

    def _authenticate(self, signed: Signed, request: Request, body: bytes) -> Principal:
        principal = self._principals.find(signed.scope.access_key_id)
        if principal is None:
            raise RefusedError("unknown", f"nobody has the access key {signed.scope.access_key_id}")
        now = datetime.now(UTC)
        if principal.session_token != signed.token:
            raise RefusedError("unknown", "the security token does not belong to the access key")
        if principal.expires is not None and principal.expires <= now:
            raise RefusedError("expired", f"the credentials of {principal.arn} expired")
        if not signed.in_time(now):
            raise RefusedError("signature", "the request was signed too long ago, or in the future")
        secret = principal.secret_access_key
        path = request.raw_path
        if not verify(signed, secret, request.method, path, request.headers, body):
            raise RefusedError("signature", f"the signature is not that of {principal.arn}")
        return principal

    def _require(self, principal: Principal, requirement: Requirement, asked: Keys) -> None:
        try:
            decision = self._decide(principal, requirement, asked)
        except CloudError as error:
            raise RefusedError("denied", str(error)) from error
        if not decision.allowed:
            raise RefusedError(
                "denied",
                f"User: {principal.arn} is not authorized to perform: {requirement.action} on "
                f"resource: {requirement.resource} {decision.reason}",
            )

    def _decide(self, principal: Principal, requirement: Requirement, asked: Keys) -> Decision:
        if requirement.action in _ALWAYS_ALLOWED:
            decision = Decision(allowed=True, statement="aws#AlwaysAllowed")
        else:
            decision = self._judge(principal, requirement, asked)
        self._audit.record(principal.arn, requirement, decision)
        return decision

    def _judge(self, principal: Principal, requirement: Requirement, asked: Keys) -> Decision:
        place, resource = self._place, requirement.resource
        own = self._principals.statements(principal)
        boundary = self._principals.boundary(principal)
        theirs = resource_policy(resource, self._names(principal), self._account, place)
        tags = self._principals.tags(principal)
        context = {**principal_keys(principal, tags, place), **asked, **requirement.context}
        deciding = (*own, *(boundary or ()), *theirs.naming, *theirs.delegating)
        if resource != "*" and any(one.asks("aws:ResourceTag/") for one in deciding):
            context |= resource_tags(resource, place)
        full = Requirement(requirement.action, resource, context)
        return judge(full, own, boundary, theirs, principal.arn)

    @property
    def _account(self) -> list[str]:
        """The names by which a policy can mean the whole account."""
        return [self._place.global_arn("iam", "root"), self._place.account]

    def _names(self, principal: Principal) -> list[str]:
        """Return the names by which a policy can mean the principal itself."""
        role = principal.role_name
        roles = [self._place.global_arn("iam", f"role/{role}")] if role else []
        return [principal.arn, *roles]

    def _require_trust(self, role_arn: str, kind: str, principal: Principal) -> None:
        try:
            names = [*self._names(principal), *self._account]
            trusted = self._trusts(role_arn, kind, names)
        except CloudError as error:
            raise RefusedError("denied", str(error)) from error
        if not trusted:
            raise RefusedError(
                "denied",
                f"User: {principal.arn} is not authorized to perform: sts:AssumeRole on resource: "
                f"{role_arn} because the role's trust policy does not admit it",
            )

    def _trusts(self, role_arn: str, kind: str, names: Iterable[str]) -> bool:
        wanted = list(names)
        context = {"aws:SourceAccount": (self._place.account,)}
        requirement = Requirement("sts:AssumeRole", role_arn, context)
        admitting = [
            one
            for one in self._principals.trust(role_arn)
            if any(one.admits(kind, name) for name in wanted)
        ]
        return evaluate(admitting, requirement).allowed
