"""Where the value of a knob comes from."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disentangle.cli.train import model_command
from disentangle.contracts import entry_points, registry
from disentangle.contracts.plugin import Plugin, knob, knobs
from disentangle.contracts.settings import normalised_forms, option_knobs, parse_spec, resolve
from disentangle.errors import UsageError

SHAPE = (1, 64, 64)
BetaVAE = registry.models.load("beta-vae")


def values(**given):
    return {k: (s.value, s.origin) for k, s in resolve(BetaVAE, given, image_shape=SHAPE).items()}


def test_given_goes_before_preset_before_dataset_before_default():
    settings = resolve(
        BetaVAE,
        {"latents": 7},
        preset={"latents": 5, "beta": 3.0},
        dataset={"likelihood": "gaussian"},
    )
    assert {k: (s.value, s.origin) for k, s in settings.items()} == {
        "latents": (7, "given"),
        "network": ("conv", "default"),
        "likelihood": ("gaussian", "dataset"),
        "variance": (0.5, "default"),
        "beta": (3.0, "preset"),
        "kl_warmup": (0, "default"),
    }


def test_beta_norm_is_beta_times_latents_over_pixels():
    assert values(beta_norm=0.01, latents=8)["beta"] == (0.01 * 4096 / 8, "given")


@given(st.floats(0, 1e6), st.integers(1, 64))
def test_beta_and_beta_norm_are_inverse(beta, latents):
    norm = normalised_forms(BetaVAE, {"beta": beta, "latents": latents}, SHAPE)["beta_norm"]
    back = resolve(BetaVAE, {"beta_norm": norm, "latents": latents}, image_shape=SHAPE)
    assert back["beta"].value == pytest.approx(beta)


def test_beta_and_beta_norm_together_are_refused():
    with pytest.raises(UsageError, match="not both"):
        values(beta=4.0, beta_norm=0.01)


def test_given_beta_overrides_a_presets_beta_norm():
    settings = resolve(BetaVAE, {"beta": 2.0}, preset={"beta_norm": 0.1}, image_shape=SHAPE)
    assert settings["beta"].value == 2.0


def test_vae_has_no_beta():
    assert "beta" not in option_knobs(registry.models.load("vae"))
    with pytest.raises(UsageError, match="model 'vae' has no hyper-parameter 'beta'"):
        resolve(registry.models.load("vae"), {"beta": 1.0})


def test_variance_without_gaussian_is_refused():
    with pytest.raises(UsageError, match="variance has no effect while likelihood is bernoulli"):
        values(variance=0.1)
    assert values(variance=0.1, likelihood="gaussian")["variance"] == (0.1, "given")


class Twofold(Plugin):
    """A knob with two conditions."""

    kind: Literal["a", "b"] = knob(default="a", help="a kind")
    size: Literal["s", "m"] = knob(default="s", help="a size")
    depth: int = knob(default=2, help="a depth", only_if=[("kind", "a"), ("size", "s")])


def test_both_conditions_of_a_knob_must_hold():
    assert resolve(Twofold, {"depth": 3})["depth"].value == 3
    for name, value, needed in (("kind", "b", "a"), ("size", "m", "s")):
        message = f"no effect while {name} is {value}; omit depth or set {name} to {needed}"
        with pytest.raises(UsageError, match=message):
            resolve(Twofold, {"depth": 3, name: value})
        left = resolve(Twofold, {name: value}, preset={"depth": 3})["depth"]
        assert (left.value, left.origin) == (2, "default")


class Single(Plugin):
    """A knob with one condition, in a list and alone."""

    kind: Literal["a", "b", "c"] = knob(default="a", help="a kind")
    depth: int = knob(default=2, help="a depth", only_if=("kind", "a", "b"))
    width: int = knob(default=2, help="a width", only_if=[("kind", "a", "b")])


@pytest.mark.parametrize("name", ["depth", "width"])
def test_a_single_condition_need_not_be_in_a_list(name):
    assert knobs(Single)[name].conditions == (("kind", "a", "b"),)
    assert resolve(Single, {name: 3, "kind": "b"})[name].value == 3
    with pytest.raises(UsageError, match=f"{name} has no effect while kind is c"):
        resolve(Single, {name: 3, "kind": "c"})
    assert knobs(Single)["kind"].conditions == ()


class Switched(Plugin):
    """A knob that depends on a switch."""

    on: bool = knob(default=True, help="a switch")
    depth: int = knob(default=2, help="a depth", only_if=("on", True))


def test_a_condition_may_be_a_switch():
    assert resolve(Switched, {"depth": 3})["depth"].value == 3
    with pytest.raises(UsageError, match=r"effect while on is False; .* set on to True"):
        resolve(Switched, {"depth": 3, "on": False})


def test_spec_of_a_metric():
    assert parse_spec("mig") == ("mig", {})
    assert parse_spec("mig:bins=40,samples=10") == ("mig", {"bins": "40", "samples": "10"})


@pytest.mark.parametrize("text", ["mig:bins", "mig:=3", "mig:bins=", "mig:bins=1,bins=2"])
def test_bad_spec_of_a_metric_is_refused(text):
    with pytest.raises(UsageError, match="expected a name, or NAME:SETTING=VALUE"):
        parse_spec(text)


def test_names_that_the_command_takes_are_those_that_no_knob_can_have():
    kind = registry.models.load("vae")
    names = {parameter.name for parameter in model_command("vae").params} - {"help"}
    assert entry_points.reserved_names() == names - set(option_knobs(kind))
