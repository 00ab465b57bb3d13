"""References to things of another library."""

from dataclasses import replace

import pytest

from disentangle.contracts import entry_points
from disentangle.contracts.references import Reference, parse_reference
from disentangle.errors import UsageError


@pytest.fixture(autouse=True)
def prefixes(monkeypatch):
    monkeypatch.setattr(entry_points, "entries_of", lambda kind: {"hf": (), "torchvision": ()})


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("hf:cats", "cats", {}),
        ("HF:cats", "cats", {}),
        ("hf:facebook/dinov2-small", "facebook/dinov2-small", {}),
        ("hf:cats:test", "cats", {"split": "test"}),
        ("hf:cats:split=test", "cats", {"split": "test"}),
        ("hf:cats:test,image=photo", "cats", {"split": "test", "image": "photo"}),
        ("hf:./a:b/data.parquet", "./a:b/data.parquet", {}),
        ("hf:./a:b/data.parquet:image=photo", "./a:b/data.parquet", {"image": "photo"}),
    ],
)
def test_reference_is_name_and_options(text, name, options):
    assert parse_reference("collection", text, bare="split") == Reference("hf", name, options)


@pytest.mark.parametrize("text", ["dsprites", "my.module:open", "./images", "hf"])
def test_anything_else_is_no_reference(text):
    assert parse_reference("collection", text) is None


@pytest.mark.parametrize("text", ["hf:", "hf:cats:a=1,a=2", "hf:cats:a=", "hf:cats:a=1,b"])
def test_incomplete_reference_is_refused(text):
    with pytest.raises(UsageError, match="expected hf:NAME"):
        parse_reference("collection", text)


def test_options_that_are_apart_are_refused_with_the_right_form():
    with pytest.raises(UsageError, match="separate options by commas, a=1,b=2"):
        parse_reference("encoder", "hf:cats:a=1:b=2")


@pytest.mark.parametrize(
    ("words", "joined"),
    [
        ("train,test", "train+test"),
        ("split=train,test", "split=train+test"),
        ("train,labels=breed,age", "train,labels=breed+age"),
    ],
)
def test_several_bare_words_are_refused_with_the_sign_that_joins_them(words, joined):
    with pytest.raises(UsageError) as raised:
        parse_reference("collection", f"hf:cats:{words}", bare="split")
    assert f"'hf:cats:{words}': join several values by +, as in `hf:cats:{joined}`" in str(
        raised.value
    )


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5"])
def test_option_that_is_no_whole_number_is_refused(text):
    reference = Reference("hf", "x", {"size": text})
    with pytest.raises(UsageError, match=f"size must be a whole number, at least 1; got '{text}'"):
        reference.whole_number("size", 7)
    assert Reference("hf", "x", {"size": "3"}).whole_number("size", 7) == 3
    assert Reference("hf", "x").whole_number("size", 7) == 7


def test_text_of_a_reference_does_not_depend_on_the_order_of_options():
    first, second = (parse_reference("encoder", f"hf:x:{o}") for o in ("a=1,b=2", "b=2,a=1"))
    assert str(first) == str(second) == "hf:x:a=1,b=2"


def test_messages_print_a_reference_as_it_was_typed():
    typed = "HF:x:size=0,output=b"
    reference = parse_reference("encoder", typed)
    assert str(reference) == "hf:x:output=b,size=0"
    with pytest.raises(UsageError, match=f"'{typed}': size must be"):
        reference.whole_number("size")
    with pytest.raises(UsageError, match=f"'{typed}' has no option 'size'"):
        reference.check_options("output")
    assert replace(reference, name="y").typed == "hf:y:output=b,size=0"


def test_unknown_option_is_refused_with_those_there_are():
    with pytest.raises(UsageError, match=r"no option 'weight'; did you mean 'weights'"):
        Reference("hf", "x", {"weight": "none"}).check_options("weights", "output")
