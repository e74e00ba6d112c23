"""IAM roles with their inline policies and boundary, and managed policies."""

import json

from localcloud.deployer.handler import (
    Handler,
    Inputs,
    Live,
    Outputs,
    SettingHandler,
    found,
    given,
    gone,
    handles,
    suppress_missing,
    tag_list,
)


@handles("aws:iam/role:Role")
class Role(Handler):
    """A role."""

    replace_on = frozenset({"name"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the role's name."""
        return str(inputs["name"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return ARN and name."""
        answer = found(self.cloud.client("iam").get_role, RoleName=identity)
        if answer is None:
            return None
        return _live(answer["Role"])

    def create(self, inputs: Inputs) -> Live:
        """Create the role."""
        answer = self.cloud.client("iam").create_role(
            RoleName=inputs["name"],
            AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
            Description=inputs.get("description", ""),
            Tags=tag_list(inputs),
            **given(inputs, PermissionsBoundary="permissionsBoundary"),
        )
        return _live(answer["Role"])

    def update(self, identity: str, inputs: Inputs) -> None:
        """Put trust policy, description, boundary and tags."""
        client = self.cloud.client("iam")
        client.update_assume_role_policy(
            RoleName=identity, PolicyDocument=inputs["assumeRolePolicy"]
        )
        client.update_role_description(RoleName=identity, Description=inputs.get("description", ""))
        client.tag_role(RoleName=identity, Tags=tag_list(inputs))
        boundary = inputs.get("permissionsBoundary")
        if boundary:
            client.put_role_permissions_boundary(RoleName=identity, PermissionsBoundary=boundary)
        else:
            gone(client.delete_role_permissions_boundary, RoleName=identity)

    def delete(self, identity: str) -> None:
        """Delete the role, and what policies are left in it."""
        client = self.cloud.client("iam")
        with suppress_missing():
            for name in client.list_role_policies(RoleName=identity)["PolicyNames"]:
                client.delete_role_policy(RoleName=identity, PolicyName=name)
            client.delete_role(RoleName=identity)


def _live(role: Inputs) -> Live:
    name = role["RoleName"]
    return Live(name, {"arn": role["Arn"], "name": name, "uniqueId": role["RoleId"]})


@handles("aws:iam/policy:Policy")
class Policy(Handler):
    """A managed policy; its id is its ARN."""

    replace_on = frozenset({"name", "path", "description"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the ARN that a policy of this name has."""
        path = inputs.get("path", "/")
        return f"arn:aws:iam::{self.cloud.account}:policy{path}{inputs['name']}"

    def read(self, identity: str, inputs: Inputs) -> Live | None:
        """Return ARN and name; a policy whose document is another one drifted."""
        client = self.cloud.client("iam")
        answer = found(client.get_policy, PolicyArn=identity)
        if answer is None:
            return None
        version = answer["Policy"]["DefaultVersionId"]
        held = client.get_policy_version(PolicyArn=identity, VersionId=version)["PolicyVersion"]
        wanted = inputs.get("policy")
        drifted = wanted is not None and json.loads(wanted) != held["Document"]
        return Live(identity, _policy_outputs(answer["Policy"]), drifted=drifted)

    def create(self, inputs: Inputs) -> Live:
        """Create the policy."""
        answer = self.cloud.client("iam").create_policy(
            PolicyName=inputs["name"],
            PolicyDocument=inputs["policy"],
            Tags=tag_list(inputs),
            **given(inputs, Path="path", Description="description"),
        )
        return Live(answer["Policy"]["Arn"], _policy_outputs(answer["Policy"]))

    def update(self, identity: str, inputs: Inputs) -> None:
        """Make the document the default version, and let the others go: IAM keeps five."""
        client = self.cloud.client("iam")
        self._delete_versions(identity)
        client.create_policy_version(
            PolicyArn=identity, PolicyDocument=inputs["policy"], SetAsDefault=True
        )
        client.tag_policy(PolicyArn=identity, Tags=tag_list(inputs))

    def delete(self, identity: str) -> None:
        """Delete the policy with all its versions."""
        with suppress_missing():
            self._delete_versions(identity)
            self.cloud.client("iam").delete_policy(PolicyArn=identity)

    def _delete_versions(self, identity: str) -> None:
        client = self.cloud.client("iam")
        for version in client.list_policy_versions(PolicyArn=identity)["Versions"]:
            if not version["IsDefaultVersion"]:
                client.delete_policy_version(PolicyArn=identity, VersionId=version["VersionId"])


def _policy_outputs(policy: Inputs) -> Outputs:
    return {"arn": policy["Arn"], "name": policy["PolicyName"], "policyId": policy["PolicyId"]}


@handles("aws:iam/rolePolicy:RolePolicy")
class RolePolicy(SettingHandler):
    """An inline policy; its id is `role:name`."""

    replace_on = frozenset({"name", "role"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return role and name."""
        return f"{inputs['role']}:{inputs['name']}"

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Ask for the policy."""
        role, _, name = identity.partition(":")
        call = self.cloud.client("iam").get_role_policy
        return Live(identity) if found(call, RoleName=role, PolicyName=name) else None

    def put(self, inputs: Inputs) -> None:
        """Put the policy."""
        self.cloud.client("iam").put_role_policy(
            RoleName=inputs["role"], PolicyName=inputs["name"], PolicyDocument=inputs["policy"]
        )

    def delete(self, identity: str) -> None:
        """Delete the policy."""
        role, _, name = identity.partition(":")
        gone(self.cloud.client("iam").delete_role_policy, RoleName=role, PolicyName=name)
