"""The adapters of moto: they take, they say when they do not, and they leave nothing behind."""

from pathlib import Path
from typing import Any

import pytest
from whole_cloud import whole_cloud

from localcloud import moto_settings
from localcloud.errors import PatchError
from localcloud.patches import self_test
from localcloud.patches.replacements import Replacements


class Owner:
    there = 1


def test_what_is_replaced_is_put_back() -> None:
    replacements = Replacements()
    assert replacements.replace(Owner, "there", 2) == 1
    assert replacements.replace(Owner, "there", 3) == 2
    assert replacements.replace(Owner, "new", 4) is None
    assert (Owner.there, vars(Owner)["new"]) == (3, 4)
    replacements.undo()
    assert Owner.there == 1
    assert "new" not in vars(Owner)


def test_a_cloud_leaves_moto_as_it_was(tmp_path: Path) -> None:
    from moto.s3.models import FakeBucket
    from moto.sagemaker.responses import SageMakerResponse
    from moto.stepfunctions.parser.asl.utils import boto_client
    from moto.stepfunctions.responses import StepFunctionResponse

    owners = (FakeBucket, SageMakerResponse, StepFunctionResponse, boto_client)

    def public(owner: object) -> dict[str, Any]:
        # Python adds `__annotations__` to a class when somebody first asks for them
        return {name: one for name, one in vars(owner).items() if not name.startswith("__")}

    before = [public(owner) for owner in owners]
    with whole_cloud(tmp_path):
        for owner, names in zip(owners, before, strict=True):
            assert public(owner) != names
    assert [public(owner) for owner in owners] == before


def test_a_symbol_that_moved_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    symbols = (
        ("moto.sts.models", "STSBackend.assume", ()),
        ("moto.sts.models", "STSBackend.assume_role", ("role_arn", "colour")),
        ("moto.nowhere", "Thing", ()),
    )
    monkeypatch.setattr(self_test, "_SYMBOLS", symbols)
    with pytest.raises(PatchError) as caught:
        self_test.check_symbols()
    for said in ("assume is missing", "takes no colour", "moto.nowhere.Thing is missing"):
        assert said in str(caught.value)


def test_an_adapter_that_did_not_take_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localcloud.patches import sagemaker_tasks

    monkeypatch.setattr(sagemaker_tasks, "install", lambda *_: None)
    with (
        pytest.raises(PatchError, match="a SageMaker state is not run by SageMakerTask"),
        whole_cloud(tmp_path),
    ):
        pass
    monkeypatch.undo()
    with whole_cloud(tmp_path) as cloud:
        assert cloud.client("sts").get_caller_identity()["Account"] == cloud.account


def test_another_release_of_moto_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moto_settings, "version", lambda _: "9.9.9")
    with pytest.raises(PatchError, match=r"moto 5\.2\.5 is expected and 9\.9\.9 is installed"):
        moto_settings.configure_moto(1)
