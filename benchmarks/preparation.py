"""Speed of preparing photographs, compared with a plain Pillow loop in one process per core.

JPEG files of 178 x 218 pixels are cropped to the central 148 x 148 and resampled to 64 x 64, as for
CelebA. The two are timed in turn on the same files, which are then in the page cache.
"""

import argparse
import hashlib
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from functools import partial
from multiprocessing.pool import Pool
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from disentangle._utils.device import cores
from disentangle.data.archive import pieces
from disentangle.data.image_files import centre_crop, decoded, flat, resized

WIDTH, HEIGHT, CROP, SIDE = 178, 218, 148, 64
LEFT, TOP = (WIDTH - CROP) // 2, (HEIGHT - CROP) // 2
BOX = (LEFT, TOP, LEFT + CROP, TOP + CROP)
CHUNK = 64


def draw(folder: Path, number: int) -> None:
    """Write one image: a sum of smooth random fields of several scales, similar to a photograph."""
    rng = np.random.default_rng([0, number])
    field = np.zeros((HEIGHT, WIDTH, 3))
    for cells, weight in ((2, 60), (6, 40), (20, 20), (60, 8)):
        grid = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        large = Image.fromarray(grid).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        field += weight * (np.asarray(large) / 127.5 - 1)
    image = Image.fromarray((field + 128).clip(0, 255).astype(np.uint8))
    image.save(folder / f"{number:06}.jpg", quality=90)


def plain(paths: list[Path]) -> NDArray[np.uint8]:
    """Prepare the images of `paths` with Pillow only."""
    rows = []
    for path in paths:
        image = Image.open(path).crop(BOX).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        rows.append(np.asarray(image))
    return np.stack(rows)


def baseline(pool: Pool, folder: Path) -> float:
    """Measure the seconds that a pool of processes takes, without the start of the pool."""
    start = time.perf_counter()
    paths = sorted(folder.iterdir())
    chunks = [paths[i : i + CHUNK] for i in range(0, len(paths), CHUNK)]
    done = sum(len(rows) for rows in pool.imap(plain, chunks))
    assert done == len(paths)
    return time.perf_counter() - start


def fit(image: Image.Image) -> Image.Image:
    """Crop and resize an image with the toolkit's functions."""
    return resized(centre_crop(flat(image, 3), CROP), SIDE)


def ours(folder: Path, target: Path) -> float:
    """Measure the seconds that the toolkit takes, including the hash and the file it writes."""
    start = time.perf_counter()
    sha256 = hashlib.sha256()
    files = pieces(folder, lambda name: True)
    with target.open("wb") as file:
        for block in decoded(files, fit, size=(WIDTH, HEIGHT)):
            file.write(block.data)
            sha256.update(block.data)
    seconds = time.perf_counter() - start
    assert target.stat().st_size == len(files) * SIDE * SIDE * 3
    return seconds


def main() -> None:
    """Write the files, time both methods in turn, and print images per second and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--force", action="store_true", help="measure on a busy machine")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    if load > 0.5 and not options.force:
        sys.exit(f"the load average is {load:.2f}: wait until it is below 0.5, or add --force")
    print(f"{cores()} cores, load average {load:.2f}, {options.images} images")
    with tempfile.TemporaryDirectory() as temporary, multiprocessing.Pool(cores()) as pool:
        folder = Path(temporary, "images")
        folder.mkdir()
        pool.map(partial(draw, folder), range(options.images))
        ratios = []
        for _ in range(options.rounds):
            plain_seconds, own = baseline(pool, folder), ours(folder, Path(temporary, "rows"))
            ratios.append(plain_seconds / own)
            print(
                f"processes {options.images / plain_seconds:7.0f} images/s   "
                f"disentangle {options.images / own:7.0f} images/s   ratio {ratios[-1]:.3f}"
            )
    print(f"median ratio {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
