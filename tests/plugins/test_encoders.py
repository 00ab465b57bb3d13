"""Encoders of other libraries: their own features, on local files in their formats."""

import json
import sys
import warnings
from types import SimpleNamespace
from urllib.error import URLError

import huggingface_hub
import numpy as np
import onnx
import onnxruntime
import pytest
import timm
import torch
import transformers
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torchvision import models

from disentangle._utils.seeds import initialising
from disentangle.data.loading import load_dataset
from disentangle.errors import DisentangleError, UsageError
from disentangle.nn import IMAGENET, Preprocessing
from disentangle.scoring import score_external
from disentangle.scoring.encoder_loading import load_encoder
from disentangle.scoring.score_external import device_of, score_encoder
from disentangle.testing import check_encoder
from disentangle_plugins.encoders.onnx import CPU, CUDA

pytestmark = pytest.mark.usefixtures("strangers")
MIG = ["mig:samples=8"]
SMALL = "shufflenet_v2_x0_5"
X = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
PLUGINS = {"torchvision": SMALL, "timm": "test_resnet", "hf": "a/b", "onnx": "net.onnx"}


def encode(encoder, x=X):
    """The features of images in evaluation mode."""
    with torch.no_grad():
        encoder.function.eval()
        return torch.as_tensor(encoder.function(x))


@pytest.fixture(autouse=True)
def empty_caches(monkeypatch, tmp_path):
    """Caches of the libraries that hold nothing."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def shufflenet():
    """A small network of torchvision."""
    with initialising(7):
        return models.get_model(SMALL, weights=None, num_classes=1000).eval()


def features_of(network):
    """The network's input to its classifier for X, preprocessed independently."""
    network.fc, classifier = torch.nn.Identity(), network.fc
    x = torch.nn.functional.interpolate(
        X.repeat(1, 3, 1, 1), (224, 224), mode="bilinear", antialias=True
    )
    mean, std = (torch.tensor(numbers).view(3, 1, 1) for numbers in IMAGENET)
    with torch.no_grad():
        features = network((x - mean) / std)
    network.fc = classifier
    return features


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_torchvision_gives_the_features_before_the_classifier(tmp_path, shufflenet, suffix):
    file = tmp_path / f"mine{suffix}"
    state = {name: tensor.contiguous() for name, tensor in shufflenet.state_dict().items()}
    (save_file if suffix == ".safetensors" else torch.save)(state, file)
    encoder = load_encoder(f"torchvision:{SMALL}:weights={file}")
    torch.testing.assert_close(encode(encoder), features_of(shufflenet))
    assert encoder.origin["weights"].startswith(f"mine{suffix} ")


def test_torchvisions_weights_are_taken_from_its_cache(tmp_path, shufflenet):
    weights = models.get_model_weights(SMALL).DEFAULT
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(shufflenet.state_dict(), folder / weights.url.rpartition("/")[2])
    encoder = load_encoder(f"torchvision:{SMALL}")
    torch.testing.assert_close(encode(encoder), features_of(shufflenet))
    origin = encoder.origin
    assert origin["reference"] == f"torchvision:{SMALL}"
    assert origin["library"].startswith("torchvision 0.")
    assert origin["weights"].startswith("IMAGENET1K_V1 ")
    assert origin["preprocessing"].startswith("RGB, 224 x 224 pixels (bilinear), mean 0.485")
    assert encoder.name == f"torchvision:{SMALL} {origin['weights']}"


@pytest.mark.parametrize(
    "name",
    ["squeezenet1_1", "mobilenet_v3_small", pytest.param("vit_b_16", marks=pytest.mark.slow)],
)
def test_every_family_of_torchvision_gives_features_and_no_classes(name):
    encoder = load_encoder(f"torchvision:{name}:weights=none")
    codes = encode(encoder)
    assert codes.ndim == 2
    assert codes.shape[1] == {"squeezenet1_1": 512, "mobilenet_v3_small": 1024}.get(name, 768)


def test_random_weights_are_said_recorded_and_seeded():
    first, again, other = (
        load_encoder(f"torchvision:{SMALL}:{options}")
        for options in (
            "weights=none,size=32",
            "weights=none,size=32",
            "weights=none,size=32,seed=1",
        )
    )
    assert torch.equal(encode(first), encode(again))
    assert first.origin == again.origin
    assert first.origin["weights"].startswith("random (seed 0) ")
    assert "32 x 32 pixels" in first.origin["preprocessing"]
    assert not torch.equal(encode(first), encode(other))


@pytest.mark.parametrize("network", ["test_resnet", "test_vit"])
def test_timm_gives_pooled_features(tmp_path, network):
    with initialising(7):
        model = timm.create_model(network, pretrained=False).eval()
    save_file(model.state_dict(), tmp_path / "mine.safetensors")
    encoder = load_encoder(f"timm:{network}:weights={tmp_path / 'mine.safetensors'}")
    data = timm.data.resolve_model_data_config(model)
    side = data["input_size"][-1]
    mode = data["interpolation"]
    assert f"{side} x {side} pixels ({mode}), mean" in encoder.origin["preprocessing"]
    x = Preprocessing((side, side), data["mean"], data["std"], interpolation=mode)(X)
    with torch.no_grad():
        expected = model.forward_head(model.forward_features(x), pre_logits=True)
    torch.testing.assert_close(encode(encoder), expected)


def test_timms_weights_are_taken_from_the_cache_of_the_hub(tmp_path, monkeypatch):
    with initialising(7):
        model = timm.create_model("test_resnet", pretrained=False).eval()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    cached = {("timm/test_resnet.r160_in1k", "model.safetensors"): tmp_path / "model.safetensors"}
    monkeypatch.setattr(
        huggingface_hub, "try_to_load_from_cache", lambda *key: str(cached.get(key, "")) or None
    )
    encoder = load_encoder("timm:test_resnet")
    assert encoder.origin["weights"].startswith("r160_in1k ")
    given = load_encoder(f"timm:test_resnet:weights={tmp_path / 'model.safetensors'}")
    torch.testing.assert_close(encode(encoder), encode(given))


def test_size_of_a_vision_transformer_of_timm_changes_its_positions():
    encoder = load_encoder("timm:test_vit:weights=none,size=64")
    assert encode(encoder).shape == (2, 64)
    assert "64 x 64 pixels" in encoder.origin["preprocessing"]


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    """The folder of a small vision transformer in the format of Hugging Face, and the model."""
    folder = tmp_path_factory.mktemp("hf") / "vit"
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
    )
    with initialising(7):
        model = transformers.ViTModel(config).eval()
    model.save_pretrained(folder)
    half = (0.5, 0.5, 0.5)
    about = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}
    about |= {"image_mean": half, "image_std": half, "resample": 2, "do_normalize": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(about))
    return folder, model


def outputs_of(model):
    with torch.no_grad():
        return model(Preprocessing((32, 32), [0.5] * 3, [0.5] * 3)(X))


def test_hf_gives_the_pooled_output_of_a_local_folder(vit):
    folder, model = vit
    encoder = load_encoder(f"hf:{folder}")
    torch.testing.assert_close(encode(encoder), outputs_of(model).pooler_output)
    assert encoder.origin["preprocessing"] == (
        "RGB, 32 x 32 pixels (bilinear), mean 0.5 0.5 0.5, deviation 0.5 0.5 0.5"
    )
    assert encoder.origin["weights"].startswith("DEFAULT ")
    assert encoder.origin["output"] == "pooler_output"


def test_hf_gives_other_outputs_by_name(vit):
    folder, model = vit
    tokens = outputs_of(model).last_hidden_state
    for pool, expected in (("cls", tokens[:, 0]), ("mean", tokens.mean(1))):
        encoder = load_encoder(f"hf:{folder}:output=last_hidden_state,pool={pool}")
        torch.testing.assert_close(encode(encoder), expected)
    with pytest.raises(
        UsageError, match=r"no output 'hidden': last_hidden_state \[2, 17, 16\], po"
    ):
        encode(load_encoder(f"hf:{folder}:output=hidden"))


def test_hf_takes_weights_from_a_file_and_refuses_those_of_another_network(vit, tmp_path):
    folder, model = vit
    file = tmp_path / "mine.pth"
    torch.save({name: 2 * tensor for name, tensor in model.state_dict().items()}, file)
    encoder = load_encoder(f"hf:{folder}:weights={file}")
    assert not torch.equal(encode(encoder), outputs_of(model).pooler_output)
    torch.save({"layer.weight": torch.zeros(2)}, file)
    with pytest.raises(DisentangleError, match=r"mine\.pth: weights of another network: \d+ tens"):
        load_encoder(f"hf:{folder}:weights={file}")


def test_hf_runs_no_code_of_a_repository(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "own", "auto_map": {"AutoConfig": "code.OwnConfig"}})
    )
    (tmp_path / "code.py").write_text("raise SystemExit('executed')")
    monkeypatch.setattr("builtins.input", lambda prompt: pytest.fail(prompt))
    with pytest.raises(UsageError, match=r"needs Python code.*not run.*`--encoder FILE\.py:NAME`"):
        load_encoder(f"hf:{tmp_path}")


def test_hf_says_why_a_cached_model_cannot_be_loaded(monkeypatch):
    def refuse(*args, **options):
        raise ValueError("Unrecognized model")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", refuse)
    with pytest.raises(DisentangleError, match="cannot load 'hf:a/b': Unrecognized model"):
        load_encoder("hf:a/b")


def test_hf_gives_no_output_of_a_pooler_without_weights(vit, tmp_path):
    folder, model = vit
    file = tmp_path / "bare.pth"
    torch.save({n: t for n, t in model.state_dict().items() if "pooler" not in n}, file)
    with pytest.raises(UsageError, match="have none for pooler_output; choose other features"):
        load_encoder(f"hf:{folder}:weights={file}")
    encoder = load_encoder(f"hf:{folder}:weights={file},output=last_hidden_state,pool=cls")
    torch.testing.assert_close(encode(encoder), outputs_of(model).last_hidden_state[:, 0])


@pytest.mark.parametrize("word", ["None", "NONE"])
def test_random_weights_are_asked_for_in_any_case(vit, word):
    for name in (f"torchvision:{SMALL}", "timm:test_resnet", f"hf:{vit[0]}"):
        plain, other = (load_encoder(f"{name}:weights={use}") for use in ("none", word))
        assert other.origin == plain.origin


def test_hf_gives_random_weights_only_if_asked_to(vit):
    folder, model = vit
    encoder = load_encoder(f"hf:{folder}:weights=none")
    assert encoder.origin["weights"].startswith("random (seed 0) ")
    assert not torch.equal(encode(encoder), outputs_of(model).pooler_output)


def test_hf_takes_the_part_of_clip_that_reads_images(tmp_path):
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    images = sizes | {"image_size": 32, "patch_size": 8, "intermediate_size": 16}
    config = transformers.CLIPConfig(text_config=sizes, vision_config=images)
    transformers.CLIPModel(config).save_pretrained(tmp_path)
    about = {"image_processor_type": "CLIPImageProcessor", "image_std": [0.2] * 3}
    about |= {"size": {"shortest_edge": 48}, "crop_size": {"height": 32, "width": 32}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(about))
    encoder = load_encoder(f"hf:{tmp_path}")
    assert encode(encoder).shape == (2, 16)
    assert encoder.origin["preprocessing"].startswith("RGB, 32 x 32 pixels (bicubic), mean 0.48")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            f"torchvision:{SMALL}",
            r"weights IMAGENET1K_V1 of .* not in .*Add `--download` \(5 MB",
        ),
        ("timm:test_resnet", r"weights of .* are not in .*Add `--download`"),
        ("hf:./absent", "'hf:./absent': no such folder"),
        ("hf:facebook/dinov2-small", r"neither a folder nor in .*Add `--download`"),
    ],
)
def test_weights_that_are_not_here_are_refused_with_the_remedy(reference, message):
    with pytest.raises(DisentangleError, match=message):
        load_encoder(reference)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (f"torchvision:{SMALL}", "cannot download https://download.pytorch.org/.*: no network"),
        ("timm:test_resnet", "cannot download weights from https://huggingface.co/timm/test_re"),
        ("hf:facebook/dinov2-small", "cannot load 'hf:facebook/dinov2-small' from the hub: "),
    ],
)
def test_download_without_a_network_is_a_line(reference, message, monkeypatch):
    def unreachable(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", unreachable)
    with pytest.raises(DisentangleError, match=message) as caught:
        load_encoder(reference, download=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("torchvision:unheardof", "'unheardof'; https://docs.pytorch.org/.* lists them"),
        ("timm:unheardof", "'unheardof'; run `python -c 'import timm; .*` to list all"),
        ("torchvision:resnet19", "no classifier 'resnet19'; did you mean 'resnet18'"),
        (f"torchvision:{SMALL}:weights=IMAGENET", "no weights 'IMAGENET', and no such file"),
        (f"torchvision:{SMALL}:weights=none,size=big", "size must be a whole number, at least 1"),
        (f"torchvision:{SMALL}:weight=none", "no option 'weight'; did you mean 'weights'"),
        ("timm:test_resnat", "no network 'test_resnat'; did you mean 'test_resnet'"),
        ("timm:test_resnet.r160", "test_resnet has no weights 'r160'; did you mean 'r160_in1k'"),
        ("timm:test_resnet:weights=absent.pth", "absent.pth: no such file"),
    ],
)
def test_unknown_network_weights_or_option_is_refused(reference, message):
    with pytest.raises(DisentangleError, match=message):
        load_encoder(reference)


@pytest.mark.parametrize("prefix", ["torchvision", "timm"])
def test_weights_of_another_network_are_refused(prefix, tmp_path, shufflenet):
    torch.save(timm.create_model("test_vit").state_dict(), tmp_path / "vit.pth")
    with pytest.raises(DisentangleError, match=r"vit\.pth: weights of another network: "):
        load_encoder(f"{prefix}:{PLUGINS[prefix]}:weights={tmp_path / 'vit.pth'}")


@pytest.mark.parametrize(
    ("prefix", "package", "remedy"),
    [
        ("torchvision", "torchvision", "pip install torchvision"),
        ("timm", "timm", r"pip install 'disentangle-bench\[timm\]'"),
        ("hf", "transformers", r"pip install 'disentangle-bench\[hf\]'"),
        ("onnx", "onnxruntime", r"pip install 'disentangle-bench\[onnx\]'"),
    ],
)
def test_missing_library_is_named_with_its_extra(prefix, package, remedy, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DisentangleError, match=f"needs the package {package}. Run `{remedy}`"):
        load_encoder(f"{prefix}:{PLUGINS[prefix]}")


def written(path, shape, kind=TensorProto.FLOAT, extra=()):
    """Write an ONNX network by hand: the mean over the images' axes that are not the batch."""
    axes = numpy_helper.from_array(np.array([2, 3]), "axes")
    nodes = [
        helper.make_node("Cast", ["x"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["features"], keepdims=0),
        *(helper.make_node("Identity", ["features"], [name]) for name in extra),
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in ("features", *extra)
    ]
    graph = helper.make_graph(
        nodes, "mean", [helper.make_tensor_value_info("x", kind, shape)], outputs, [axes]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("shape", "channels"),
    [
        (["n", 3, "h", "w"], 3),
        ([4, 3, 64, 64], 3),
        ([1, 1, 64, 64], 1),
        (["n", "c", "h", "w"], 3),
    ],
    ids=["dynamic", "batches of 4", "single grey images", "nothing said"],
)
def test_onnx_network_of_any_batch_is_an_encoder(tmp_path, shape, channels):
    encoder = load_encoder(str(written(tmp_path / "net.onnx", shape)))
    x = torch.rand(7, 1, 64, 64)
    found = encode(encoder, x)
    torch.testing.assert_close(found, x.mean((2, 3)).repeat(1, channels))


class FakeOnnxruntime:
    """An onnxruntime with some providers, which notes those of each session.

    Attributes:
        starts: False if the provider for CUDA is installed but cannot start.
    """

    def __init__(self, monkeypatch, *providers, starts=True):
        self.chosen, self.starts, self.create = [], starts, onnxruntime.InferenceSession
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [*providers, CPU])
        monkeypatch.setattr(onnxruntime, "InferenceSession", self.session)

    def session(self, path, options, providers):
        self.chosen.append(providers)
        session = self.create(path, options, providers=[CPU])
        if self.starts and providers != [CPU]:
            session.get_providers = lambda: [CUDA, CPU]
        return session


def on_gpu(number=0):
    """Images that say that they are on a GPU."""
    device, x = torch.device("cuda", number), X.repeat(1, 3, 1, 1)
    return SimpleNamespace(device=device, cpu=lambda: x)


@pytest.fixture
def grey(tmp_path):
    return str(written(tmp_path / "net.onnx", ["n", 3, 64, 64]))


def test_onnx_network_uses_the_gpu_of_its_images(grey, monkeypatch):
    fake = FakeOnnxruntime(monkeypatch, CUDA)
    encoder = load_encoder(grey)
    assert encoder.cpu_only == ""
    codes = [encoder.function.network(on_gpu(number)) for number in (1, 1, 0)]
    assert fake.chosen == [[CPU], *([(CUDA, {"device_id": n}), CPU] for n in (1, 0))]
    np.testing.assert_allclose(codes[0], X.mean((2, 3)).repeat(1, 3), rtol=1e-5)


def test_onnx_network_never_takes_the_cpu_for_a_gpu(grey, monkeypatch):
    encoder = load_encoder(grey)
    assert "is installed without CUDAExecutionProvider; run `pip un" in encoder.cpu_only
    with pytest.raises(DisentangleError, match=r"cannot run on device 'cuda:0': onnxruntime"):
        encoder.function.network(on_gpu())
    FakeOnnxruntime(monkeypatch, CUDA, starts=False)
    with pytest.raises(DisentangleError, match=r"cannot start its CUDA.*use `--device cpu`"):
        load_encoder(grey).function.network(on_gpu())


def test_onnx_network_without_a_gpu_takes_the_cpu_by_default_and_says_so(
    grey, tmp_path, monkeypatch
):
    monkeypatch.setattr(score_external, "choose_device", lambda name: torch.device("cuda"))
    said = []
    encoder = load_encoder(grey)
    assert device_of(encoder, "auto", said.append) == torch.device("cpu")
    assert said == [f"the encoder runs on the CPU: {encoder.cpu_only}"]
    with pytest.raises(UsageError, match=r"cannot use device 'cuda': .*onnxruntime-gpu`; or omit"):
        device_of(encoder, "cuda", said.append)
    FakeOnnxruntime(monkeypatch, CUDA)
    for name in ("auto", "cuda"):
        assert device_of(load_encoder(grey), name, said.append) == torch.device("cuda")
    assert len(said) == 1


def test_onnx_network_of_bytes_gets_them(tmp_path):
    file = written(tmp_path / "net.onnx", ["n", 3, 64, 64], TensorProto.UINT8)
    images = (X * 255).round()
    found = encode(load_encoder(f"onnx:{file}"), images / 255)
    torch.testing.assert_close(found, images.mean((2, 3)).repeat(1, 3))


def test_onnx_network_with_channels_last_gets_them_so(tmp_path):
    file = written(tmp_path / "net.onnx", ["n", 64, 64, 3])  # the mean over columns and channels
    x = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(encode(load_encoder(str(file)), x), x.mean((1, 3)))


def test_images_are_resized_to_a_fixed_size_and_the_record_says_so(tmp_path):
    encoder = load_encoder(str(written(tmp_path / "net.onnx", ["n", 3, 16, 16])))
    assert encoder.origin["preprocessing"] == "RGB, 16 x 16 pixels (bilinear)"
    assert encode(encoder).shape == (2, 3)
    any_size = load_encoder(str(written(tmp_path / "net.onnx", ["n", 3, "h", "w"])))
    assert any_size.origin["preprocessing"] == "RGB"


def test_onnx_network_of_several_outputs_needs_a_name(tmp_path):
    file = written(tmp_path / "net.onnx", ["n", 3, "h", "w"], extra=["logits"])
    with pytest.raises(UsageError, match=r"several outputs: features.*logits.*net\.onnx:output=fe"):
        load_encoder(str(file))
    with pytest.raises(UsageError, match="has no output 'z': features"):
        load_encoder(f"{file}:output=z")
    assert encode(load_encoder(f"{file}:output=logits")).shape == (2, 3)


@pytest.mark.parametrize(
    ("shape", "kind", "message"),
    [
        (
            ["n", 3, 8, 8, 8],
            TensorProto.FLOAT,
            r"expected one input of images \[N, C, H, W\], got x",
        ),
        (["n", 5, 8, 8], TensorProto.FLOAT, "expected images of 1 or 3 channels"),
        (["n", 3, 8, 8], TensorProto.INT64, r"expected an input of .*; got tensor\(int64\)"),
    ],
)
def test_onnx_network_that_takes_no_images_is_refused(tmp_path, shape, kind, message):
    with pytest.raises(UsageError, match=message):
        load_encoder(str(written(tmp_path / "net.onnx", shape, kind)))


def test_onnx_network_with_other_tensors_in_a_file_apart_is_another(tmp_path):
    def digest(number):
        written(tmp_path / "net[1].onnx", ["n", 3, 8, 8])
        model = onnx.load(tmp_path / "net[1].onnx")
        weights = numpy_helper.from_array(np.full(3000, number, np.float32), "unused")
        model.graph.initializer.append(weights)
        apart = {"save_as_external_data": True, "location": "tensors.bin"}
        (tmp_path / "tensors.bin").unlink(missing_ok=True)
        onnx.save(model, tmp_path / "net[1].onnx", **apart)
        return load_encoder(str(tmp_path / "net[1].onnx")).origin["weights"]

    (tmp_path / "other.bin").write_bytes(b"1")
    first = digest(1.0)
    (tmp_path / "other.bin").write_bytes(b"2")
    assert first == digest(1.0) != digest(2.0)


def test_onnx_file_that_is_none_is_refused_in_a_line(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"\x10")
    with pytest.raises(DisentangleError, match=r"not a network that onnxruntime .* can") as caught:
        load_encoder(str(tmp_path / "net.onnx"))
    assert "\n" not in str(caught.value)
    with pytest.raises(DisentangleError, match="no such file"):
        load_encoder("absent.onnx")


def test_network_that_torch_exported_to_onnx_has_the_same_codes(tmp_path):
    with initialising(7):
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64 * 64, 5)).eval()
    example = (torch.zeros(2, 3, 64, 64),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter needs no further package
        torch.onnx.export(
            network,
            example,
            str(tmp_path / "net.onnx"),
            dynamo=False,
            input_names=["x"],
            dynamic_axes={"x": {0: "n"}},
        )
    normalised = load_encoder(f"{tmp_path / 'net.onnx'}:normalise=imagenet")
    x = Preprocessing(None, *IMAGENET)(X)
    with torch.no_grad():
        torch.testing.assert_close(encode(normalised), network(x), atol=1e-5, rtol=1e-4)


def test_encoder_by_reference_is_scored_by_the_command(command, tmp_path):
    written(tmp_path / "net.onnx", ["n", 3, "h", "w"])
    records = tmp_path / "scores.json"
    options = ("--metric", MIG[0], "--device", "cpu", "--output", records)
    code, out, _ = command("score", "--encoder", "net.onnx", "--dataset", "tiny", *options)
    assert code == 0
    assert out.startswith("mig")
    (record,) = json.loads(records.read_text())["scores"]
    assert record["weights"].startswith("onnx:net.onnx net.onnx ")


def test_reference_is_scored_in_python():
    scores = score_encoder(
        f"torchvision:{SMALL}:weights=none,size=32", load_dataset("tiny"), MIG, device="cpu"
    )
    assert scores.records[0].weights.startswith(f"torchvision:{SMALL}:size=32,weights=none random")


def test_download_is_an_option_of_encoders(command):
    code, _, err = command("score", "--download")
    assert code == 2
    assert "--download requires --encoder" in err


def test_encoders_are_listed(command):
    _, out, _ = command("list", "encoders")
    for prefix in PLUGINS:
        assert f"  {prefix} " in out


@pytest.mark.parametrize("plugin", PLUGINS)
def test_builtin_encoder_keeps_the_contract(plugin, vit, tmp_path):
    references = {
        "torchvision": f"torchvision:{SMALL}:weights=none,size=32",
        "timm": "timm:test_resnet:weights=none",
        "hf": f"hf:{vit[0]}:weights=none",
        "onnx": f"onnx:{written(tmp_path / 'net.onnx', [1, 1, 64, 64])}",
    }
    for check in check_encoder(references[plugin]):
        check()
