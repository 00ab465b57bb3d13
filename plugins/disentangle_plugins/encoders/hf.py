"""Image models of Hugging Face's transformers.

https://huggingface.co/docs/transformers
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from disentangle import DisentangleError, ExternalEncoder, Reference, UsageError
from disentangle.data import read_state
from disentangle.nn import FrozenEncoder, Preprocessing, random_weights, weights_digest


def load(reference: Reference, *, download: bool) -> ExternalEncoder:
    """Load `hf:NAME`, a model of the hub or a local folder; its features are `pooler_output`.

    Options: `weights` (`DEFAULT`, a file, or `none`), `seed` of random weights, `size` of the
    images, `output` (the key of other features), and `pool`.
    """
    reference.check_options("weights", "seed", "size", "output", "pool")
    try:
        import transformers
    except ImportError as error:
        raise DisentangleError(
            f"'{reference.typed}' needs the package transformers. "
            "Run `pip install 'disentangle-bench[hf]'`."
        ) from error
    use, output, pool = (reference.options.get(key, "") for key in ("weights", "output", "pool"))
    use = use or "DEFAULT"
    with _quiet():
        config = _fetched(reference, download, transformers.AutoConfig.from_pretrained)
        processor = _fetched(reference, download, transformers.AutoImageProcessor.from_pretrained)
        missing: list[str] = []
        if use == "none":
            network, words = random_weights(
                lambda: _vision(transformers.AutoModel.from_config(config)),
                reference.whole_number("seed", least=0),
            )
        else:
            whole, missing = _weighted(reference, config, download)
            network = _vision(whole)
            name = "DEFAULT" if use == "DEFAULT" else Path(use).name
            words = f"{name} {weights_digest(network)}"
    if missing and output in ("", "pooler_output"):
        raise UsageError(
            f"the weights of '{reference.typed}' have none for pooler_output; choose other "
            f"features, such as `hf:{reference.name}:output=last_hidden_state,pool=cls`"
        )
    preprocessing = _preprocessing(reference, processor, getattr(config, "num_channels", 3))
    output = output or "pooler_output"
    origin = {
        "library": f"transformers {transformers.__version__}",
        "weights": words,
        "preprocessing": str(preprocessing),
        "output": ", ".join(filter(None, [output, pool])),
    }
    return ExternalEncoder(FrozenEncoder(network, preprocessing, output=output, pool=pool), origin)


def _vision(network: torch.nn.Module) -> torch.nn.Module:
    """The part of a model of images and text, such as CLIP, that takes images."""
    return getattr(network, "vision_model", network)


def _weighted(reference: Reference, config: Any, download: bool) -> tuple[Any, list[str]]:
    """The model with its weights, and names of tensors of its pooler that they lack."""
    import transformers

    use = reference.options.get("weights", "DEFAULT")
    loading: dict[str, Any] = {"output_loading_info": True, "dtype": torch.float32}
    if use == "DEFAULT":
        source = f"the weights of '{reference.typed}'"
        network, loaded = _fetched(
            reference, download, transformers.AutoModel.from_pretrained, config=config, **loading
        )
    else:
        source = use
        state = read_state(Path(use).expanduser())
        network, loaded = transformers.MODEL_MAPPING[type(config)].from_pretrained(
            None, config=config, state_dict=state, ignore_mismatched_sizes=True, **loading
        )
    lacking = sorted(map(str, loaded["missing_keys"]))
    other = [name for name in lacking if "pooler" not in name]
    other += [str(entry) for entry in loaded["mismatched_keys"]]
    if other:
        raise DisentangleError(
            f"{source}: weights of another network: {len(other)} tensors are missing or have "
            f"another shape, such as {other[0]}"
        )
    return network, lacking


def _preprocessing(reference: Reference, processor: Any, channels: int) -> Preprocessing:
    """The preprocessing of an image processor, without its crop."""
    factor = getattr(processor, "rescale_factor", None) or 1 / 255
    if abs(factor * 255 - 1) > 1e-3 or getattr(processor, "rescale_offset", False):
        raise UsageError(
            f"'{reference.typed}' rescales pixels in its own way, which is not supported"
        )
    box = dict(processor.crop_size if getattr(processor, "do_center_crop", False) else {})
    box = box or dict(processor.size)
    side = box.get("shortest_edge") or box.get("longest_edge")
    height, width = box.get("height") or side, box.get("width") or side
    if not (height and width):
        raise UsageError(f"'{reference.typed}' has no size of images; give one, `size=224`")
    height, width = (reference.whole_number("size", int(s)) for s in (height, width))
    normalised = getattr(processor, "do_normalize", True)
    return Preprocessing(
        (height, width),
        (processor.image_mean or ()) if normalised else (),
        (processor.image_std or ()) if normalised else (),
        channels=channels,
        interpolation="bilinear" if int(processor.resample or 3) == 2 else "bicubic",
    )


def _fetched(
    reference: Reference, download: bool, fetch: Callable[..., Any], **options: Any
) -> Any:
    """The result of a function of transformers that reads a folder, the cache or the hub."""
    try:
        return fetch(
            reference.name,
            local_files_only=not download,
            trust_remote_code=False,  # else it is asked for on the terminal
            **options,
        )
    except Exception as error:  # the hub's client and the readers of files have many errors
        reason = " ".join(str(error).split())
        if "trust_remote_code" in reason:
            raise UsageError(
                f"'{reference.typed}' needs Python code of its repository, which is not run from "
                "here. Load the model in a Python file, and give `--encoder FILE.py:NAME`"
            ) from error
        if Path(reference.name).is_dir():
            raise DisentangleError(f"{reference.name}: {reason}") from error
        if download or not isinstance(error, OSError):
            where = " from the hub" if download else ""
            raise DisentangleError(f"cannot load '{reference.typed}'{where}: {reason}") from error
        if reference.name.startswith((".", "~", "/")):
            raise DisentangleError(f"'{reference.typed}': no such folder") from error
        from huggingface_hub.constants import HF_HUB_CACHE

        raise DisentangleError(
            f"'{reference.typed}' is neither a folder nor in {HF_HUB_CACHE}. Add `--download` "
            f"(from https://huggingface.co/{reference.name}), or give the path of a folder"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Within the block, transformers prints only errors and no progress bars."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        logging.enable_progress_bar()
