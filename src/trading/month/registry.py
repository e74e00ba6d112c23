"""The model registry: a SageMaker model package a version, whose approval follows the ledger.

boto3 is used here and not the SageMaker SDK: this runs in the functions of the serving path, and
`sagemaker-core` takes 2.6 s and pandas to import.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

from trading.agents.artifact import Manifest
from trading.month.model_record import ModelRecord, ModelStatus

APPROVAL: Mapping[ModelStatus, str] = {
    "CANDIDATE": "PendingManualApproval",
    "CHAMPION": "Approved",
    "ARCHIVED": "Approved",
    "REJECTED": "Rejected",
}
"""What the registry says of a status; an archived champion may be deployed again."""
DESCRIPTION_LIMIT = 1024
VALUE_LIMIT = 256
METRICS_TYPE = "application/json"
MODEL_TYPE = "application/x-npz"


class ModelRegistry:
    """The model packages of one group.

    Parameters
    ----------
    group : name of the model package group
    image : the image that the models are trained with; the registry asks for one
    client : boto3 SageMaker client; made when absent
    """

    def __init__(self, group: str, image: str, client: Any = None) -> None:
        self.group = group
        self._image = image
        self._client = client or boto3.client("sagemaker")

    def register(
        self, record: ModelRecord, manifest: Manifest, model_uri: str, evidence_uri: str | None
    ) -> str:
        """Make the package of a version and return its ARN; one token a version makes it once.

        Parameters
        ----------
        record : its place and status
        manifest : of the model folder
        model_uri : folder of the model, ends in `/`
        evidence_uri : JSON of the gate's verdict on it, or of its metrics; None where there is none
        """
        container = {
            "Image": self._image,
            "ModelDataSource": {
                "S3DataSource": {
                    "S3Uri": model_uri,
                    "S3DataType": "S3Prefix",
                    "CompressionType": "None",
                }
            },
        }
        evidence: dict[str, Any] = {}
        if evidence_uri is not None:
            statistics = {"ContentType": METRICS_TYPE, "S3Uri": evidence_uri}
            evidence["ModelMetrics"] = {"ModelQuality": {"Statistics": statistics}}
        answer = self._client.create_model_package(
            ModelPackageGroupName=self.group,
            ModelPackageDescription=f"{record.kind} of {record.month}, version {record.version}",
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": [MODEL_TYPE],
                "SupportedResponseMIMETypes": [MODEL_TYPE],
            },
            ModelApprovalStatus=APPROVAL[record.status],
            CustomerMetadataProperties=describe(record, manifest),
            ClientToken=_token(self.group, record.version),
            **evidence,
        )
        return str(answer["ModelPackageArn"])

    def follow(self, record: ModelRecord) -> None:
        """Bring the approval status of a version's package to where its record stands."""
        if record.package_arn is None:
            return
        known = self.describe(record.package_arn).get("CustomerMetadataProperties", {})
        self._client.update_model_package(
            ModelPackageArn=record.package_arn,
            ModelApprovalStatus=APPROVAL[record.status],
            ApprovalDescription=f"{record.status}: {record.reason}"[:DESCRIPTION_LIMIT],
            CustomerMetadataProperties={**known, "status": record.status},
        )

    def holds(self, arn: str) -> bool:
        """Tell whether the registry has a package; one may have been deleted by hand."""
        try:
            self.describe(arn)
        except ClientError as error:
            # A missing package is a plain ValidationException; only its words tell.
            message = error.response["Error"].get("Message", "").lower()
            if "not found" in message or "does not exist" in message:
                return False
            raise
        return True

    def describe(self, arn: str) -> dict[str, Any]:
        """Return what the registry holds of a package."""
        found: dict[str, Any] = self._client.describe_model_package(ModelPackageName=arn)
        return found


def describe(record: ModelRecord, manifest: Manifest) -> dict[str, str]:
    """Return the properties of a package: identity, lineage and the recipe's metrics.

    The registry takes 50 of at most 256 characters each.
    """
    properties = {
        "version": record.version,
        "kind": record.kind,
        "month": record.month,
        "status": record.status,
        "trained_through": manifest.trained_through.isoformat(),
        "algorithms": " ".join(manifest.algorithms) or "none",
        "seeds": " ".join(str(seed) for seed in manifest.seeds) or "none",
        "features_version": manifest.features_version,
        "data_hash": manifest.data_hash,
        "dataset_hash": manifest.dataset_hash or "none",
        "slots_version": manifest.slots_version,
        "code_revision": manifest.code_revision,
        "parent": manifest.parent or "none",
    }
    return {name: value[:VALUE_LIMIT] for name, value in properties.items() if value}


def _token(group: str, version: str) -> str:
    """Return the client token of a version: a repeated call makes no second package."""
    return hashlib.sha256(f"{group}/{version}".encode()).hexdigest()[:36]
