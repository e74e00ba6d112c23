"""IAM roles and their inline policies."""

from localcloud.deployer.handler import (
    Handler,
    Inputs,
    Live,
    SettingHandler,
    found,
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
        )
        return _live(answer["Role"])

    def update(self, identity: str, inputs: Inputs) -> None:
        """Put trust policy, description and tags."""
        client = self.cloud.client("iam")
        client.update_assume_role_policy(
            RoleName=identity, PolicyDocument=inputs["assumeRolePolicy"]
        )
        client.update_role_description(RoleName=identity, Description=inputs.get("description", ""))
        client.tag_role(RoleName=identity, Tags=tag_list(inputs))

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
