"""A KMS key can be made again with the id that it had before.

The ids of keys are random, and keys live in memory: after a start of the cloud whatever is
encrypted with a key would name one that is not there any more.
"""

from typing import Any

from moto.kms import models
from moto.kms.models import KmsBackend

from localcloud.context import KEY_ID_TAG
from localcloud.patches.replacements import Replacements

_create_in_moto = KmsBackend.create_key


def install(replacements: Replacements) -> None:
    """Have CreateKey take the id from the tag `localcloud:key-id`, which it does not keep."""
    replacements.replace(KmsBackend, "create_key", _create)


def _create(
    backend: KmsBackend,
    policy: str | None,
    key_usage: str,
    key_spec: str,
    description: str,
    tags: list[dict[str, str]] | None,
    *more: Any,
) -> Any:
    wanted = next((one["TagValue"] for one in tags or () if one["TagKey"] == KEY_ID_TAG), None)
    kept = [one for one in tags or () if one["TagKey"] != KEY_ID_TAG]
    fixed = Replacements()
    if wanted is not None:
        # calls of KMS are carried out one at a time, so that no other key gets this id
        fixed.replace(models, "generate_key_id", lambda *_: wanted)
    try:
        return _create_in_moto(backend, policy, key_usage, key_spec, description, kept, *more)
    finally:
        fixed.undo()
