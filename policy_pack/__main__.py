"""The rules as a Pulumi policy pack: `pulumi preview --policy-pack policy_pack`."""

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from rules import RULES, STACK_RULES, Resource, Rule, StackRule


def resource_policy(rule: Rule) -> ResourceValidationPolicy:
    """Return a rule about single resources as a policy."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if rule.types and args.resource_type not in rule.types:
            return
        resource = Resource(args.resource_type, args.name, dict(args.props))
        for violation in rule.violations(resource):
            report(violation)

    return ResourceValidationPolicy(name=rule.name, description=rule.says, validate=validate)


def stack_policy(rule: StackRule) -> StackValidationPolicy:
    """Return a rule about all resources as a policy."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        resources = [
            Resource(one.resource_type, one.name, dict(one.props)) for one in args.resources
        ]
        for violation in rule.violations(resources):
            report(violation)

    return StackValidationPolicy(name=rule.name, description=rule.says, validate=validate)


def policies() -> list[ResourceValidationPolicy | StackValidationPolicy]:
    """Return all rules as policies."""
    return [*map(resource_policy, RULES), *map(stack_policy, STACK_RULES)]


if __name__ == "__main__":
    PolicyPack(
        name="trading",
        enforcement_level=EnforcementLevel.MANDATORY,
        policies=policies(),
    )
