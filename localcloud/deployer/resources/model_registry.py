"""SageMaker: the group of model packages."""

from botocore.exceptions import ClientError

from localcloud.deployer.handler import Handler, Inputs, Live, handles, tag_list


@handles("aws:sagemaker/modelPackageGroup:ModelPackageGroup")
class ModelPackageGroup(Handler):
    """A group of model packages."""

    replace_on = frozenset({"modelPackageGroupName", "modelPackageGroupDescription"})

    def identify(self, inputs: Inputs) -> str | None:
        """Return the group's name."""
        return str(inputs["modelPackageGroupName"])

    def read(self, identity: str, inputs: Inputs) -> Live | None:  # noqa: ARG002
        """Return ARN and name."""
        client = self.cloud.client("sagemaker")
        try:
            answer = client.describe_model_package_group(ModelPackageGroupName=identity)
        except ClientError as error:
            # A missing group is a plain ValidationException, as SageMaker answers.
            if "does not exist" in str(error):
                return None
            raise
        return Live(identity, {"arn": answer["ModelPackageGroupArn"], "id": identity})

    def create(self, inputs: Inputs) -> Live:
        """Create the group."""
        name = str(inputs["modelPackageGroupName"])
        answer = self.cloud.client("sagemaker").create_model_package_group(
            ModelPackageGroupName=name,
            ModelPackageGroupDescription=inputs.get("modelPackageGroupDescription", ""),
            Tags=tag_list(inputs),
        )
        return Live(name, {"arn": answer["ModelPackageGroupArn"], "id": name})

    def update(self, identity: str, inputs: Inputs) -> None:
        """Put the tags."""
        client = self.cloud.client("sagemaker")
        group = client.describe_model_package_group(ModelPackageGroupName=identity)
        client.add_tags(ResourceArn=group["ModelPackageGroupArn"], Tags=tag_list(inputs))

    def delete(self, identity: str) -> None:
        """Leave the group: moto cannot delete one, and it ends with the home."""
