"""Strict validation of files: a base model, error messages, and packaged TOML files."""

import json
import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, StrictInt, ValidationError
from pydantic_core import PydanticSerializationError

from disentangle._utils.text import whole

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


Whole = Annotated[StrictInt, BeforeValidator(whole)]
"""A whole number, which may be written as 1e5, as TOML reads this as a float."""


class Strict(BaseModel):
    """The validated content of a file: immutable, and unknown fields are errors.

    Paths that are not UTF-8, which Python holds with surrogates, are kept as JSON escapes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """The content as JSON."""
        try:
            return super().model_dump_json(indent=indent, **options)
        except PydanticSerializationError:  # it refuses surrogates
            return json.dumps(self.model_dump(mode="json", **options), indent=indent)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Validate content in JSON."""
        try:
            return super().model_validate_json(json_data, **options)
        except ValidationError as error:  # it refuses surrogates
            if error.errors()[0]["type"] != "json_invalid":
                raise
            try:
                content = json.loads(json_data)
            except ValueError:
                raise error from None
        return cls.model_validate(content, **options)


def first_error(error: ValidationError) -> str:
    """The field of the first validation error, with its message."""
    first = error.errors()[0]
    return f"{error_place(first)}: {first['msg'].removeprefix('Value error, ')}"


def error_place(error: "ErrorDetails") -> str:
    """The path of an invalid field, such as `settings.beta.value`, without union types."""
    parts = (str(part) for part in error["loc"] if part not in ("bool", "int", "float", "str"))
    return ".".join(parts) or "the file"


def packaged_toml(package: str, folder: str) -> dict[str, dict[str, Any]]:
    """Read the TOML files in a package's folder; return their contents by stem, sorted."""
    files = resources.files(package).joinpath(folder).iterdir()
    return {
        file.name.removesuffix(".toml"): tomllib.loads(file.read_text(encoding="utf-8"))
        for file in sorted(files, key=lambda file: file.name)
        if file.name.endswith(".toml")
    }
