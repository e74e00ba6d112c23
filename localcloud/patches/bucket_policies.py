"""Leave bucket policies to the gateway.

moto evaluates a bucket's policy itself and overlooks its conditions: the statement that denies
unencrypted calls would deny every call. The gateway has decided, conditions included, before moto
sees a call.
"""

from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from localcloud.patches.replacements import Replacements


def install(replacements: Replacements) -> None:
    """Have moto's buckets refuse nothing by policy."""

    def no_opinion(_bucket: FakeBucket, *_arguments: Any, **_more: Any) -> PermissionResult:
        return PermissionResult.NEUTRAL

    replacements.replace(FakeBucket, "get_permission", no_opinion)
