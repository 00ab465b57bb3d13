"""The formats of exported modules: how each is written, and how a written file is run."""

import io
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from disentangle.errors import DisentangleError
from disentangle.runs.modules import DecoderModule, EncoderModule

if TYPE_CHECKING:
    from disentangle.runs.run import Run

Outputs = Mapping[str, Tensor]
"""The outputs of a module by name."""
Function = Callable[[Tensor], Outputs]
INPUTS = {"encoder": "images", "decoder": "latents"}
"""Part -> the name of its input."""
OPSET = 17
"""Version of ONNX's operators; onnxruntime has it since version 1.13."""


class NamedOutputs(nn.Module):
    """A run's encoder or decoder with a dictionary as output, whose names a file keeps."""

    def __init__(self, part: EncoderModule | DecoderModule) -> None:
        super().__init__()
        self.part = part


class NamedEncoder(NamedOutputs):
    """An encoder with the outputs `mean` and, of a posterior, `scale`."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Encode images."""
        mean, scale = self.part(images)
        return {"mean": mean} if scale is None else {"mean": mean, "scale": scale}


class NamedDecoder(NamedOutputs):
    """A decoder with the output `images`."""

    def forward(self, latents: Tensor) -> dict[str, Tensor]:
        """Decode latents."""
        return {"images": self.part(latents)}


def named(run: "Run", part: str) -> NamedOutputs:
    """The encoder or decoder of a run, with named outputs."""
    made = NamedEncoder(run.encoder) if part == "encoder" else NamedDecoder(run.decoder)
    return made.eval()


def write_pt2(module: NamedOutputs, name: str, example: Tensor) -> bytes:
    """Export a module by `torch.export`, for batches of any size."""
    sizes = {name: {0: torch.export.Dim("N")}}
    program = torch.export.export(module, (example,), dynamic_shapes=sizes)
    file = io.BytesIO()
    torch.export.save(program, file)
    return file.getvalue()


def read_pt2(content: bytes, name: str) -> Function:
    """The function in an exported program."""
    program: Any = torch.export.load(io.BytesIO(content)).module()
    return lambda x: dict(program(x))


def write_onnx(module: NamedOutputs, name: str, example: Tensor) -> bytes:
    """Export a module as ONNX, for batches of any size.

    This is torch's exporter by tracing, which needs the package onnx alone.
    """
    import_onnx()
    outputs = list(module(example))
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of this exporter, and in it
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        torch.onnx.export(
            module,
            (example,),
            file,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            input_names=[name],
            output_names=outputs,
            dynamic_axes={key: {0: "N"} for key in (name, *outputs)},
        )
    return file.getvalue()


def read_onnx(content: bytes, name: str) -> Function:
    """The function in an ONNX file, run by onnxruntime."""
    onnxruntime = import_onnx()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run_session(x: Tensor) -> Outputs:
        arrays = session.run(names, {name: x.numpy()})
        return dict(zip(names, map(torch.from_numpy, arrays), strict=True))

    return run_session


def import_onnx() -> Any:
    """Import onnxruntime, and check that onnx is there too.

    Raises:
        DisentangleError: one of them is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError as error:
        raise DisentangleError(
            f"the format onnx needs the packages onnx and onnxruntime ({error.name} is missing). "
            "Run `pip install 'disentangle-bench[onnx]'`."
        ) from error
    return onnxruntime


def write_state(module: nn.Module) -> bytes:
    """The state dict of a module as safetensors."""
    state = {name: tensor.cpu().contiguous() for name, tensor in module.state_dict().items()}
    return save(state, {"format": "pt"})


def read_state(run: "Run", content: bytes, part: str) -> Function:
    """The encoder or decoder of a newly built model with the tensors of a state dict."""
    model = run.build()
    model.load_state_dict(load(content), strict=False)
    model.eval()
    shape = run.record.dataset.image_shape
    module = (
        NamedEncoder(EncoderModule(model, shape))
        if part == "encoder"
        else NamedDecoder(DecoderModule(model))
    )
    return module.eval()
