"""Validated files: what JSON may hold."""

import os

import pytest
from pydantic import ValidationError

from disentangle._utils.strict import Strict


class Place(Strict):
    """A record with a path."""

    path: str
    sizes: tuple[int, ...] = ()


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("path", ["/a/b", "/a/β", os.fsdecode(b"/a/ph\xe9\xff")])
def test_any_path_comes_back_from_json(path, indent):
    place = Place(path=path, sizes=(1, 2))
    text = place.model_dump_json(indent=indent)
    assert Place.model_validate_json(text.encode("ascii" if "ph" in path else "utf-8")) == place


@pytest.mark.parametrize("text", ["{", '{"path": "\\ud8"}', '{"path": 3}', '{"pat": "\\udce9"}'])
def test_invalid_json_and_invalid_content_are_errors(text):
    with pytest.raises(ValidationError):
        Place.model_validate_json(text)
