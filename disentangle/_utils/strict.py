"""Files that say what is expected and nothing else, and what is wrong with those that do not."""

import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class Strict(BaseModel):
    """The content of a file: unknown fields are errors, and nothing is changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def first_error(error: ValidationError) -> str:
    """The field of the first error, and what is wrong with it."""
    first = error.errors()[0]
    return f"{error_place(first)}: {first['msg'].removeprefix('Value error, ')}"


def error_place(error: "ErrorDetails") -> str:
    """The field of an error, as `settings.beta.value`; without the types of a union."""
    parts = (str(part) for part in error["loc"] if part not in ("bool", "int", "float", "str"))
    return ".".join(parts) or "the file"


def packaged_toml(package: str, folder: str) -> dict[str, dict[str, Any]]:
    """Read the TOML files in a folder of a package: name without suffix -> content, sorted."""
    files = resources.files(package).joinpath(folder).iterdir()
    return {
        file.name.removesuffix(".toml"): tomllib.loads(file.read_text(encoding="utf-8"))
        for file in sorted(files, key=lambda file: file.name)
        if file.name.endswith(".toml")
    }
