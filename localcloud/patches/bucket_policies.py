"""Leave bucket policies to the gateway.

moto evaluates a bucket's policy itself and overlooks its conditions: the statement that denies
unencrypted calls would deny every call. The gateway has decided, conditions included, before moto
sees a call. Where accesses are to be logged it wants a policy that names the very folder; AWS takes
any, and nothing is logged here.
"""

from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from localcloud.patches.replacements import Replacements


def install(replacements: Replacements) -> None:
    """Have moto's buckets refuse nothing by policy."""

    def no_opinion(_bucket: FakeBucket, *_arguments: Any, **_more: Any) -> PermissionResult:
        return PermissionResult.NEUTRAL

    def permitted(*_arguments: Any, **_more: Any) -> bool:
        return True

    replacements.replace(FakeBucket, "get_permission", no_opinion)
    replacements.replace(FakeBucket, "_log_permissions_enabled_policy", staticmethod(permitted))
