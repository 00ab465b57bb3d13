"""Networks of timm without their classifiers.

https://huggingface.co/docs/timm
"""

from pathlib import Path
from typing import Any

from disentangle import DisentangleError, ExternalEncoder, Reference, UsageError
from disentangle.data import read_state
from disentangle.errors import suggestion
from disentangle.nn import (
    FrozenEncoder,
    Preprocessing,
    load_weights,
    random_weights,
    weights_digest,
)

FILES = ("model.safetensors", "pytorch_model.bin", "open_clip_pytorch_model.bin")
"""Names of weight files on the hub, in timm's order of preference."""
LISTING = "python -c 'import timm; print(*timm.list_models())'"
"""The command that lists the networks."""


def load(reference: Reference, *, download: bool) -> ExternalEncoder:
    """Load `timm:NAME[.TAG]`, its pooled features [N, D].

    Options: `weights` (`DEFAULT` for those of the tag, a file, or `none`), `seed` of random
    weights, `size` of the images, `pool` and `output` for networks that are not pooled.
    """
    reference.check_options("weights", "seed", "size", "pool", "output")
    try:
        import timm
    except ImportError as error:
        raise DisentangleError(
            f"'{reference.typed}' needs the package timm. "
            "Run `pip install 'disentangle-bench[timm]'`."
        ) from error
    architecture, _, tag = reference.name.partition(".")
    if not timm.is_model(architecture):
        hint = suggestion(architecture, timm.list_models(), LISTING)
        raise UsageError(f"timm has no network '{architecture}'{hint}")
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        raise UsageError(f"timm's {architecture} has no weights '{tag}'{suggestion(tag, tags)}")

    side = reference.whole_number("size")
    config = timm.get_pretrained_cfg(reference.name)
    resized = {"img_size": side} if side and config is not None and config.fixed_input_size else {}

    def make(**weights: Any) -> Any:
        return timm.create_model(reference.name, num_classes=0, **resized, **weights)

    use = reference.options.get("weights", "DEFAULT")
    network, words = random_weights(make, reference.whole_number("seed", least=0))
    if use == "DEFAULT":
        file = _published(reference, network.pretrained_cfg, download)
        network = make(pretrained=True, pretrained_cfg_overlay={"file": str(file)})
        words = f"{network.pretrained_cfg['tag'] or 'DEFAULT'} {weights_digest(network)}"
    elif use != "none":
        file = Path(use).expanduser()
        classifier = network.pretrained_cfg["classifier"]
        without = [classifier] if isinstance(classifier, str) else list(classifier or ())
        load_weights(network, read_state(file), str(file), without=without)
        words = f"{file.name} {weights_digest(network)}"
    data = timm.data.resolve_model_data_config(network)
    height, width = (side, side) if side else data["input_size"][1:]
    preprocessing = Preprocessing(
        (height, width),
        data["mean"],
        data["std"],
        channels=data["input_size"][0],
        interpolation="bilinear" if data["interpolation"] == "bilinear" else "bicubic",
    )
    chosen = {key: reference.options.get(key, "") for key in ("output", "pool")}
    origin = {
        "library": f"timm {timm.__version__}",
        "weights": words,
        "preprocessing": str(preprocessing),
    }
    return ExternalEncoder(FrozenEncoder(network, preprocessing, **chosen), origin)


def _published(reference: Reference, config: dict[str, Any], download: bool) -> Path:
    """The file of timm's weights in the cache of the hub, downloaded if allowed."""
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    hub = config.get("hf_hub_id")
    if not hub:
        raise UsageError(
            f"timm has no weights of '{reference.name}'; give a file, `weights=FILE`, or "
            "`weights=none` for random weights"
        )
    for name in FILES:
        file = huggingface_hub.try_to_load_from_cache(hub, name)
        if isinstance(file, str):
            return Path(file)
    if not download:
        raise DisentangleError(
            f"the weights of '{reference.typed}' are not in "
            f"{huggingface_hub.constants.HF_HUB_CACHE}. Add `--download` "
            f"(from https://huggingface.co/{hub}), or give a file: "
            f"`timm:{reference.name}:weights=FILE`"
        )
    try:
        for name in FILES:
            try:
                return Path(huggingface_hub.hf_hub_download(hub, name))
            except LocalEntryNotFoundError:  # the hub cannot be reached
                raise
            except EntryNotFoundError:
                continue
    except Exception as error:  # the hub's client has many errors
        reason = " ".join(str(error).split())
        raise DisentangleError(
            f"cannot download weights from https://huggingface.co/{hub}: {reason}"
        ) from error
    raise DisentangleError(f"https://huggingface.co/{hub} has none of {', '.join(FILES)}")
