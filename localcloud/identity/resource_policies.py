"""Policies that hang on a resource: those of S3 buckets.

Within one account, what such a policy allows is allowed, and what it denies is denied, whatever
the caller's own policies say.
"""

from localcloud.identity.policy import Statement, parse
from localcloud.identity.resources import Place

_S3 = "arn:aws:s3:::"


def resource_statements(resource: str, names: list[str], place: Place) -> list[Statement]:
    """Return the statements of the resource's policy that speak of a caller.

    `names` are the ARNs and ids by which a policy can mean the caller.
    """
    if not resource.startswith(_S3):
        return []
    from moto.s3.models import s3_backends

    name = resource.removeprefix(_S3).partition("/")[0]
    bucket = s3_backends[place.account]["aws"].buckets.get(name)
    policy = bucket.policy if bucket is not None else None
    if not policy:
        return []
    document = policy.decode() if isinstance(policy, bytes) else str(policy)
    statements = parse(f"bucket policy of {name}", document)
    return [one for one in statements if any(one.admits("AWS", caller) for caller in names)]
