"""The errors of the deployer: each is one sentence and a way out."""

from localcloud.errors import CloudError


class DeployError(CloudError):
    """The program cannot be deployed."""


class StackFileError(DeployError):
    """The configuration of the stack, or its state file, cannot be read."""


class UnknownResourceError(DeployError):
    """The program registers a resource type, or asks for a value, that no handler knows."""


class ProtectedError(DeployError):
    """A protected resource would be deleted."""
