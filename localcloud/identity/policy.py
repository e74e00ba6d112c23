"""Policy documents: what their statements allow and deny.

Source: AWS IAM User Guide, "Policy evaluation logic" and "IAM JSON policy element reference".
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from localcloud.errors import CloudError
from localcloud.identity.conditions import OPERATORS, Context, holds, pattern

_VARIABLE = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True)
class Requirement:
    """One permission that a call needs: an action on a resource, in a context of condition keys."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """One statement of a policy; `name` says which: `<policy>#<Sid or position>`."""

    name: str
    allows: bool
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    principals: Mapping[str, tuple[str, ...]] | None
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]

    def applies(self, requirement: Requirement) -> bool:
        """Tell whether the statement speaks of what is required."""
        return (
            self._action(requirement.action)
            and self._resource(requirement)
            and all(
                holds(operator, expected, _value(requirement.context, key))
                for operator, key, expected in self.conditions
            )
        )

    def asks(self, prefix: str) -> bool:
        """Tell whether a condition or a variable needs a key that begins like this."""
        wanted = prefix.lower()
        named = any(key.lower().startswith(wanted) for _, key, _ in self.conditions)
        return named or any(f"${{{wanted}" in one.lower() for one in self.resources)

    def admits(self, kind: str, principal: str) -> bool:
        """Tell whether the statement's Principal (`AWS` or `Service`) names this one."""
        named = (self.principals or {}).get(kind, ())
        return any(pattern(one).fullmatch(principal) for one in named)

    def _action(self, action: str) -> bool:
        if self.not_actions:
            return not _any(self.not_actions, action, ignore_case=True)
        return _any(self.actions, action, ignore_case=True)

    def _resource(self, requirement: Requirement) -> bool:
        if self.not_resources:
            wanted = [_fill(text, requirement.context) for text in self.not_resources]
            return not _any(wanted, requirement.resource)
        if not self.resources:
            return True
        wanted = [_fill(text, requirement.context) for text in self.resources]
        return _any(wanted, requirement.resource)


@dataclass(frozen=True)
class Decision:
    """The answer of a set of policies.

    Attributes
    ----------
    allowed
        The answer.
    statement
        The statement that gave it; None where none allows it.
    missing
        The kind of policy that would have to allow it.
    """

    allowed: bool
    statement: str | None
    missing: str = "identity-based policy"

    @property
    def reason(self) -> str:
        """Why it is denied, in the words of AWS."""
        if self.statement is None:
            return f"because no {self.missing} allows it"
        return f"with an explicit deny in {self.statement}"


def evaluate(statements: Iterable[Statement], requirement: Requirement) -> Decision:
    """Decide: an applicable Deny wins, then an applicable Allow, else it is denied."""
    allowed: Statement | None = None
    for statement in statements:
        if not statement.applies(requirement):
            continue
        if not statement.allows:
            return Decision(allowed=False, statement=statement.name)
        allowed = allowed or statement
    return Decision(allowed=allowed is not None, statement=allowed.name if allowed else None)


@lru_cache(maxsize=1024)
def parse(name: str, document: str) -> tuple[Statement, ...]:
    """Return the statements of a policy document (JSON text); `name` is the policy's.

    Raises `CloudError` for a condition operator that is not evaluated here: it must neither let
    through nor hold back by accident.
    """
    loaded = json.loads(document)
    statements = loaded.get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    return tuple(_statement(name, place, one) for place, one in enumerate(statements))


def _statement(policy: str, place: int, one: Mapping[str, Any]) -> Statement:
    conditions = tuple(
        (operator, key, _strings(values))
        for operator, keys in one.get("Condition", {}).items()
        for key, values in keys.items()
    )
    if "NotPrincipal" in one:
        raise CloudError(
            f"policy {policy!r} uses NotPrincipal, which the embedded cloud does not evaluate; "
            "name the principals, or use a condition on aws:PrincipalArn"
        )
    for operator, _, _ in conditions:
        if operator.rpartition(":")[2].removesuffix("IfExists") not in OPERATORS:
            raise CloudError(
                f"policy {policy!r} uses the condition operator {operator!r}, which the embedded "
                f"cloud does not evaluate; use one of {', '.join(sorted(OPERATORS))}"
            )
    return Statement(
        name=f"{policy}#{one.get('Sid', place)}",
        allows=one.get("Effect") == "Allow",
        actions=_strings(one.get("Action", ())),
        not_actions=_strings(one.get("NotAction", ())),
        resources=_strings(one.get("Resource", ())),
        not_resources=_strings(one.get("NotResource", ())),
        principals=_principals(one.get("Principal")),
        conditions=conditions,
    )


def _principals(named: Any) -> Mapping[str, tuple[str, ...]] | None:
    if named is None:
        return None
    if named == "*":
        return {"AWS": ("*",), "Service": ("*",)}
    return {kind: _strings(values) for kind, values in named.items()}


def _strings(values: Any) -> tuple[str, ...]:
    if isinstance(values, list | tuple):
        return tuple(map(_text, values))
    return (_text(values),)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _any(patterns: Iterable[str], text: str, *, ignore_case: bool = False) -> bool:
    return any(pattern(one, ignore_case=ignore_case).fullmatch(text) for one in patterns)


def _value(context: Context, key: str) -> Any:
    found = context.get(key)
    if found is not None:
        return found
    lowered = key.lower()
    return next((values for name, values in context.items() if name.lower() == lowered), None)


def _fill(text: str, context: Context) -> str:
    """Replace `${aws:PrincipalAccount}` and its like; an unknown one matches nothing."""

    def value(match: re.Match[str]) -> str:
        found = _value(context, match.group(1))
        return str(found[0]) if found else match.group(0)

    return _VARIABLE.sub(value, text) if "${" in text else text
