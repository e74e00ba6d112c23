"""Named arrays and a JSON header in one numpy archive; the same content gives the same bytes."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]

HEADER = "header.json"
EPOCH = (1980, 1, 1, 0, 0, 0)


def write_archive(header: Mapping[str, Any], arrays: Arrays) -> bytes:
    """Return the archive; `numpy.load` reads its arrays too."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(HEADER, EPOCH), _json(header))
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy", EPOCH), "w") as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def read_archive(content: bytes) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return the header and the arrays.

    Raises
    ------
    ValueError
        The bytes are not such an archive, or are cut off or altered.
    """
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            header = json.loads(archive.read(HEADER))
            for member in archive.namelist():
                if member.endswith(".npy"):
                    with archive.open(member) as opened:
                        array = np.lib.format.read_array(opened, allow_pickle=False)
                    arrays[member.removesuffix(".npy")] = array
    except (zipfile.BadZipFile, KeyError, EOFError, OSError) as error:
        raise ValueError(f"not an archive of arrays: {error}") from error
    return header, arrays


def content_digest(header: Mapping[str, Any], arrays: Arrays) -> str:
    """Return the SHA-256 over the header and every array, hexadecimal."""
    digest = hashlib.sha256(_json(header))
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _json(header: Mapping[str, Any]) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
