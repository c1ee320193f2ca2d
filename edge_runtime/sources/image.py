"""Image files: a single file, a directory, or a glob."""

from __future__ import annotations

import glob
import os
from typing import Iterator, List, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SourceError
from edge_runtime.imaging import image_file
from edge_runtime.imaging.opencv import load_cv2
from edge_runtime.sources import Skipped, SourceOptions
from edge_runtime.sources._opencv import fit
from edge_runtime.types import Frame

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm")
HANDLES = (*SUFFIXES, "/")
GONE = "are the files still there?"


def open(target: str, options: SourceOptions) -> ImageSource:
    """Opens an image, a directory (its files by name, not its subdirectories) or a glob.

    Raises:
        SourceError: there is no image.
    """
    return ImageSource(target, options)


class ImageSource:
    """Images as frames: index and timestamp count the images, `path` is the file.

    Every image becomes 8-bit BGR as `cv2.imread` would give it: 16-bit is scaled, grey is repeated, alpha is dropped
    (not blended), EXIF orientation is applied. A file that is not a readable image is skipped and listed in `skipped`,
    unless it is the only file that was asked for.

    Args:
        files: the images themselves, in this order. `target` is then only a name.
    """

    live = False
    fps: Optional[float] = None

    def __init__(
        self, target: str, options: SourceOptions = SourceOptions(), files: Optional[Sequence[str]] = None
    ) -> None:
        load_cv2()
        self.name = target
        self.skipped: List[str] = Skipped()
        self._single = files is None and os.path.isfile(target)
        self._paths = self._images(_files(target) if files is None else list(files))
        self.frame_count = None if options.loop else len(self._paths)
        self.description = f"{len(self._paths)} image{'s' * (len(self._paths) != 1)}"
        self._loop = options.loop
        self._first_pass = True
        self._index = self.restarts = 0
        self._pending = self._order()

    def read(self, buffer: Optional[NDArray[np.uint8]] = None) -> Optional[Frame]:
        """See `Source.read`. Decoding allocates an array. It is then copied into `buffer` if its shape fits."""
        for path in self._pending:
            try:
                image = fit(image_file.read_image(path), buffer)
            except ValueError as error:
                self._pass_over(path, str(error))
                continue
            frame = Frame(image, self.name, self._index, float(self._index), path)
            self._index += 1
            return frame
        return None

    def close(self) -> None:
        """See `Source.close`."""
        self._pending = iter(())

    def _images(self, files: List[str]) -> List[str]:
        images = [f for f in files if f.lower().endswith(SUFFIXES)]
        self.skipped += [f"{f}: not an image" for f in files if not f.lower().endswith(SUFFIXES)]
        if not images:
            raise SourceError(f"no image in {self.name!r}", hint=f"expected files ending in {', '.join(SUFFIXES)}")
        return images

    def _order(self) -> Iterator[str]:
        while True:
            before = self._index
            yield from self._paths
            if self._index == before:
                raise SourceError(f"no image in {self.name!r} can be read", hint=[GONE, *self.skipped][-1])
            if not self._loop:
                return
            self._first_pass = False
            self.restarts += 1

    def _pass_over(self, path: str, reason: str) -> None:
        if self._single:
            self.close()
            raise SourceError(f"{path!r} {reason}", hint="open it in an image viewer: is the file complete?")
        if self._first_pass:
            self.skipped.append(f"{path}: {reason}")


def _files(target: str) -> List[str]:
    if os.path.isdir(target):
        found = [os.path.join(target, name) for name in os.listdir(target)]
    elif os.path.exists(target):
        found = [target]
    else:
        found = glob.glob(target)
    if not found and not os.path.isdir(target):
        raise SourceError(f"no such file: {target!r}", hint="check the path")
    return sorted(f for f in found if os.path.isfile(f))
