"""Networks in ONNX files, run by onnxruntime.

https://onnx.ai
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from disentangle import DisentangleError, ExternalEncoder, Reference, UsageError
from disentangle.nn import IMAGENET, FrozenEncoder, Preprocessing

TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
"""Types of a network's input."""
LOCATION = re.compile(rb"\n\x08location\x12([\x01-\x7f])")
"""What precedes the name of a file with a large tensor: its key, and the name's length."""
BATCH = 64
"""Images that a network with a batch of any size is given at once."""
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
INSTALL = "`pip uninstall onnxruntime` and `pip install onnxruntime-gpu`"


class Session:
    """An ONNX network as a function of images [N, C, H, W] in [0, 1], or normalised ones.

    Attributes:
        channels: the number of channels of its images, 3 if it takes any.
        size: height and width of its images, None if it takes any.
        last: True if the channels are the last axis, as in networks of TensorFlow.
    """

    def __init__(self, path: Path, reference: Reference) -> None:
        self.path = path
        self.sessions: dict[int | None, Any] = {}
        self.session = self.session_on(torch.device("cpu"))
        inputs = self.session.get_inputs()
        shapes = ", ".join(f"{i.name} {i.shape}" for i in inputs)
        if len(inputs) != 1 or len(inputs[0].shape) != 4:
            raise UsageError(f"{path}: expected one input of images [N, C, H, W], got {shapes}")
        (self.input,) = inputs
        if self.input.type not in TYPES:
            raise UsageError(
                f"{path}: expected an input of {', '.join(TYPES)}; got {self.input.type}"
            )
        batch, *axes = (side if isinstance(side, int) else None for side in self.input.shape)
        self.batch = batch
        self.last = axes[0] not in (1, 3) and axes[2] in (1, 3)
        channels, *size = [axes[2], *axes[:2]] if self.last else axes
        if channels not in (1, 3, None):
            raise UsageError(f"{path}: expected images of 1 or 3 channels, got {shapes}")
        self.channels = channels or 3
        self.size = (size[0], size[1]) if size[0] and size[1] else None
        self.output = self._output(path, reference.options.get("output", ""))

    def session_on(self, device: torch.device) -> Any:
        """The session of onnxruntime on a device, created when it is first used.

        Raises:
            DisentangleError: onnxruntime cannot run the network there.
        """
        number = None if device.type == "cpu" else device.index or 0
        if number in self.sessions:
            return self.sessions[number]
        import onnxruntime

        if reason := cpu_only() if number is not None else "":
            raise DisentangleError(f"{self.path}: cannot run on device '{device}': {reason}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors are raised, too
        chosen = [CPU] if number is None else [(CUDA, {"device_id": number}), CPU]
        try:
            session = onnxruntime.InferenceSession(str(self.path), options, providers=chosen)
        except Exception as error:  # onnxruntime has an error for each status
            reason = " ".join(str(error).split())
            raise DisentangleError(
                f"{self.path}: not a network that onnxruntime {onnxruntime.__version__} can run: "
                f"{reason}"
            ) from error
        if number is not None and CUDA not in session.get_providers():
            raise DisentangleError(  # onnxruntime would go on with the CPU
                f"{self.path}: onnxruntime {onnxruntime.__version__} cannot start its {CUDA}, "
                "which needs its versions of CUDA and cuDNN; use `--device cpu`"
            )
        self.sessions[number] = session
        return session

    def _output(self, path: Path, name: str) -> str:
        """The name of the output that holds the features."""
        shapes = {output.name: output.shape for output in self.session.get_outputs()}
        if not name and set(shapes) == {"mean", "scale"}:  # as `disentangle export` names them
            return "mean"
        if name not in shapes and (name or len(shapes) > 1):
            wrong = f"has no output '{name}'" if name else "has several outputs"
            names = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise UsageError(
                f"{path} {wrong}: {names}. Choose one: `{path}:output={next(iter(shapes))}`"
            )
        return name or next(iter(shapes))

    def __call__(self, images: torch.Tensor) -> NDArray[Any]:
        """The features of images [N, C, H, W]."""
        session = self.session_on(images.device)
        x = images.cpu().numpy()
        kind = TYPES[self.input.type]
        x = np.rint(x * 255).astype(kind) if kind is np.uint8 else x.astype(kind)
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1) if self.last else x)
        step = self.batch or BATCH
        codes = []
        for start in range(0, len(x), step):
            part = x[start : start + step]
            padding = [(0, self.batch - len(part) if self.batch else 0)] + [(0, 0)] * 3
            (output,) = session.run(
                [self.output], {self.input.name: np.pad(part, padding, mode="edge")}
            )
            if len(output) < len(part):
                raise UsageError(
                    f"output '{self.output}' of the network must have a row for each image, got "
                    f"{list(output.shape)} for {len(part)} images"
                )
            codes.append(output[: len(part)])
        return np.concatenate(codes)


def cpu_only() -> str:
    """Why onnxruntime cannot use a GPU here, and what would let it; empty if it can."""
    import onnxruntime

    if CUDA in onnxruntime.get_available_providers():
        return ""
    return f"onnxruntime {onnxruntime.__version__} is installed without {CUDA}; run {INSTALL}"


def digest_of(path: Path) -> str:
    """A digest of a network's file and of the files that hold its large tensors, 16 digits."""
    names = {
        content[place.end() : place.end() + place[1][0]]
        for content in [path.read_bytes()]
        for place in LOCATION.finditer(content)
    }
    files = [path, *sorted(path.parent / os.fsdecode(name) for name in names)]
    digests = []
    for file in files:
        with file.open("rb") as opened:
            digests.append(hashlib.file_digest(opened, "sha256").digest())
    return hashlib.sha256(b"".join(digests)).hexdigest()[:16]


def load(reference: Reference, *, download: bool) -> ExternalEncoder:
    """Load `onnx:FILE`, or a file whose name ends with `.onnx`.

    Options: `output` (the name of one of several), `pool`, `size` of the images if the network
    takes any, and `normalise=imagenet` for a network that is given ImageNet's normalised pixels.
    """
    reference.check_options("output", "pool", "size", "normalise")
    normalise = reference.options.get("normalise", "")
    if normalise not in ("", "imagenet"):
        raise UsageError(f"'{reference.typed}': normalise must be imagenet, got '{normalise}'")
    try:
        import onnxruntime
    except ImportError as error:
        raise DisentangleError(
            f"'{reference.typed}' needs the package onnxruntime. "
            "Run `pip install 'disentangle-bench[onnx]'`."
        ) from error
    path = Path(reference.name).expanduser()
    if not path.is_file():
        raise DisentangleError(f"{path}: no such file")
    network = Session(path, reference)
    side = reference.whole_number("size")
    if side and network.size:
        height, width = network.size
        raise UsageError(f"{path}: the size of its images is fixed, {height} x {width}")
    mean, std = IMAGENET if normalise else ((), ())
    preprocessing = Preprocessing(
        (side, side) if side else network.size, mean, std, channels=network.channels
    )
    origin = {
        "library": f"onnxruntime {onnxruntime.__version__}",
        "weights": f"{path.name} {digest_of(path)}",
        "preprocessing": str(preprocessing),
    }
    encoder = FrozenEncoder(network, preprocessing, pool=reference.options.get("pool", ""))
    return ExternalEncoder(encoder, origin, cpu_only())
