"""The contract of encoders by reference: an encoder from elsewhere, and what it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ExternalEncoder:
    """An encoder that was not trained here.

    An encoder plugin is a function `load(reference, *, download) -> ExternalEncoder`, registered
    under `disentangle.encoders`; its name is the prefix of references such as `timm:resnet18`.

    Attributes:
        function: maps images, float32 [N, C, H, W] in [0, 1], to codes [N, D]; it resizes and
            normalises them as the network expects. A `torch.nn.Module` is moved to the device and
            put into evaluation mode.
        origin: what it is, for records: `reference`, the name by which it was loaded, or `file`,
            the name and digest of a file with the network; and where they apply `library` with its
            version, `weights` with a digest, `preprocessing`, `output`.
        cpu_only: why it cannot use a GPU here, and what would let it; empty if it runs on the
            device of its images.
    """

    function: Callable[[Any], Any]
    origin: Mapping[str, str] = field(default_factory=dict)
    cpu_only: str = ""

    @property
    def name(self) -> str:
        """The encoder in one line, which identifies it in records of scores."""
        named = self.origin.get("file") or self.origin.get("reference", "")
        return " ".join(filter(None, [named, self.origin.get("weights", "")]))
