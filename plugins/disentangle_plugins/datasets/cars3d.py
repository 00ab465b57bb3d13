"""Cars3D: Reed et al. (2015), https://papers.nips.cc/paper/5845-deep-visual-analogy-making.

Rendered cars, 128 x 128 in colour, resized to 64 x 64 (LANCZOS): 183 cars, each from 24 azimuths
and 4 elevations. Azimuth, in steps of 15 degrees, is cyclic; elevation is ordinal, identity
categorical.
"""

import io
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from disentangle import Dataset, DisentangleError
from disentangle.data import (
    FILE_BYTES,
    About,
    Content,
    Location,
    Piece,
    Preparation,
    Remote,
    Rows,
    about,
    as_dataset,
    counted,
    pieces,
    reason,
    resized,
    uncompressed,
)

ABOUT = About(
    about="Rendered cars, by identity and view",
    display="Cars3D",
    images=17_568,
    home="http://www.scottreed.info",
    files=(
        Remote(
            name="nips2015-analogy-data.tar.gz",
            urls=("http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",),
            checksum="md5:4e866a7919c1beedf53964e6f7a23686",
        ),
    ),
)
MESH = re.compile(r"(?:^|/)cars/[^/]+\.mat$")
SIDE = 64  # pixels
KINDS = {"azimuth": "cyclic=24", "elevation": "ordinal"}
PACKED = 15  # the type of compressed data in a MAT file


@about(ABOUT)
def open(location: Location) -> Dataset:
    """Open the cars: a grid of identity x azimuth x elevation, one car per file.

    Raises:
        DisentangleError: the files are missing or wrong.
    """
    preparation = Preparation(
        folder=location.folder, version=1, given=location.file, say=location.say
    )

    def make(stack: ExitStack) -> Content:
        return _read(location, stack)

    return as_dataset(preparation.get(make), kinds=KINDS)


def _read(location: Location, stack: ExitStack) -> Content:
    source = location.find(ABOUT)
    plain = stack.enter_context(uncompressed(source, location.folder))
    # `source` may also be the folder of the cars itself.
    meshes = pieces(plain, lambda name: MESH.search(f"{source.name}/{name}") is not None, source)
    if not meshes:
        raise DisentangleError(f"{source}: no cars in it; expected files data/cars/NAME.mat")
    azimuths, elevations = _mesh(source, meshes[0]).shape[:2]
    count = len(meshes) * azimuths * elevations
    provenance, sums = location.provenance(ABOUT, source)
    location.say(f"{location.name}: reading {count:,} images of {len(meshes)} cars")
    return Content(
        blocks=counted(_blocks(source, meshes, (azimuths, elevations)), count, location.progress),
        shape=(count, SIDE, SIDE, 3),
        source=provenance,
        files=sums,
        factors={
            "identity": [PurePosixPath(piece.name).stem for piece in meshes],
            "azimuth": range(azimuths),
            "elevation": range(elevations),
        },
    )


def _blocks(source: Path, meshes: list[Piece], views: tuple[int, int]) -> Iterator[Rows]:
    for piece in meshes:
        mesh = _mesh(source, piece)
        if mesh.shape[:2] != views:
            raise DisentangleError(
                f"{source}: every car needs the same azimuths and elevations: expected {views} as "
                f"in {meshes[0].name}, got {mesh.shape[:2]} in {piece.name}"
            )
        images = (Image.fromarray(image) for image in mesh.reshape(-1, *mesh.shape[2:]))
        yield np.stack([np.asarray(resized(image, SIDE)) for image in images])


def _mesh(source: Path, piece: Piece) -> Rows:
    """Return the images of a car, [azimuth, elevation, height, width, 3]."""
    from scipy.io import loadmat, whosmat

    try:
        content = _unpacked(piece.read())
        arrays = {name: (shape, dtype) for name, shape, dtype in whosmat(io.BytesIO(content))}
        if "im" not in arrays:
            raise ValueError("it has no array 'im'")
        shape, dtype = arrays["im"]
        if dtype != "uint8" or shape[:3] != (128, 128, 3) or len(shape) != 5 or 0 in shape:
            raise ValueError(
                f"expected 'im' as uint8 (128, 128, 3, azimuths, elevations), got {dtype} {shape}"
            )
        images = loadmat(io.BytesIO(content), variable_names=["im"])["im"]
        if images.dtype != np.uint8 or images.shape != shape:
            raise ValueError(f"expected 'im' as uint8 {shape}, got {images.dtype} {images.shape}")
    except DisentangleError:
        raise
    except Exception as error:  # a damaged file fails in any way
        raise DisentangleError(
            f"{source}: cannot use {piece.name} as a car: {reason(error)}"
        ) from error
    return np.ascontiguousarray(images.transpose(3, 4, 0, 1, 2))


def _unpacked(content: bytes) -> bytes:
    """Decompress the arrays of a MAT file within a size limit, as scipy has none.

    After 128 bytes the file is a sequence of parts, each preceded by its type and length.
    """
    parts, at, left = [content[:128]], 128, FILE_BYTES
    order = "<" if content[126:128] == b"IM" else ">"
    while at + 8 <= len(content):
        part_type, length = struct.unpack_from(f"{order}II", content, at)
        end = at + 8 + length
        if part_type == PACKED:
            inflate = zlib.decompressobj()
            parts.append(inflate.decompress(content[at + 8 : end], left + 1))
            if len(parts[-1]) > left:
                raise ValueError(f"it unpacks to more than {FILE_BYTES >> 20} MiB")
            if not inflate.eof:
                raise ValueError("it ends too early")
            left -= len(parts[-1])
        else:
            parts.append(content[at:end])
        at = end
    return b"".join(parts)
