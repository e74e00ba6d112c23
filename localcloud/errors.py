"""The errors of the embedded cloud: each is one sentence and a way out."""


class CloudError(Exception):
    """The embedded cloud cannot start or do what was asked."""


class HomeTakenError(CloudError):
    """Another cloud runs on the same home."""


class PatchError(CloudError):
    """A symbol or behaviour of moto that an adapter stands on is not what it was."""


class JournalError(CloudError):
    """The journal of the home cannot be read or written."""
