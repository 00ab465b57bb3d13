"""Layers and losses that equal torch's, but are faster where torch is slow."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEW = 4
"""Number of image channels up to which a layer is faster as a matrix product."""


def on_cpu(x: Tensor) -> bool:
    """Return True if x is in single precision on a CPU, where torch is slow."""
    single = x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return x.device.type == "cpu" and single


class Convolution(nn.Conv2d):
    """A convolution that adds its bias separately on a CPU, as torch's bias gradient is slow."""

    def forward(self, x: Tensor) -> Tensor:
        """Map x [N, before, H, W] to [N, after, height, width]."""
        if not on_cpu(x) or self.bias is None:
            return super().forward(x)
        y = F.conv2d(x, self.weight, None, self.stride, self.padding)
        return y.add_(self.bias.view(-1, 1, 1))


class Transposed(nn.ConvTranspose2d):
    """A transposed convolution that adds its bias separately on a CPU.

    In torch's own, the bias gradient, a sum over pixels, takes a quarter of the time of the
    weights' gradient.
    """

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map x [N, before, H, W] to [N, after, height, width]."""
        if not on_cpu(x) or self.bias is None or output_size is not None:
            return super().forward(x, output_size)
        y = F.conv_transpose2d(x, self.weight, None, self.stride, self.padding)  # type: ignore[arg-type]
        return y.add_(self.bias.view(-1, 1, 1))


class FromImage(Convolution):
    """A convolution 4x4, stride 2, padding 1, of the few channels of an image.

    On a GPU it is a matrix product of the image's patches, because torch's deterministic gradient
    of the weights takes a fifth of a whole step.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [N, before, H, W] to [N, after, H / 2, W / 2]."""
        if x.device.type != "cuda" or self.in_channels > FEW:
            return super().forward(x)
        return self.by_product(x)

    def by_product(self, x: Tensor) -> Tensor:
        """Return the same result by a matrix product, channels last."""
        pixels = F.linear(patches(x), self.weight.flatten(1), self.bias)
        return pixels.view(len(x), x.shape[2] // 2, x.shape[3] // 2, -1).permute(0, 3, 1, 2)


class ToImage(Transposed):
    """A transposed convolution 4x4, stride 2, padding 1, to the few channels of an image.

    On a CPU it is a matrix product and sums of its shifted parts. With one output channel torch
    cannot use the vector units and takes six times as long. On a GPU torch's gradient of the
    weights is slow, as in `FromImage`.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 4, 2, 1)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map x [N, before, H, W] to [N, after, 2H, 2W]."""
        if self.out_channels > FEW or output_size is not None:
            return super().forward(x, output_size)
        if x.device.type == "cuda":
            image: Tensor = Widening.apply(x, self.weight, self.bias)
            return image
        if not on_cpu(x):
            return super().forward(x)
        doubled: Tensor = Doubling.apply(x, self.weight, self.bias)
        return doubled


class FromVector(nn.ConvTranspose2d):
    """A transposed convolution of one pixel: a linear map to [N, after, 4, 4]."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 4)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map x [N, before, 1, 1] to [N, after, 4, 4]."""
        if tuple(x.shape[2:]) != (1, 1) or output_size is not None or self.bias is None:
            return super().forward(x, output_size)
        y = (x.flatten(1) @ self.weight.flatten(1)).view(len(x), -1, 4, 4)
        return y + self.bias.view(-1, 1, 1)


class Doubling(torch.autograd.Function):
    """Transposed convolution 4x4, stride 2, padding 1; its forward pass is a matrix product."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Save the tensors that the gradients need."""
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Map x [N, C, H, W] to [N, O, 2H, 2W], for weight [C, O, 4, 4] and bias [O]."""
        n, c, h, w = x.shape
        o = weight.shape[1]
        pixels = x.permute(0, 2, 3, 1).reshape(-1, c)
        y = (weight.reshape(c, o * 16).T @ pixels.T).view(o, 4, 4, n, h, w)
        # Output row 2i sums row 1 of the kernel at i and row 3 at i - 1; row 2i + 1 sums row 2 at i
        # and row 0 at i + 1. Columns are the same.
        y[:, 1, :, :, 1:] += y[:, 3, :, :, :-1]
        y[:, 2, :, :, :-1] += y[:, 0, :, :, 1:]
        y = y[:, 1:3]
        y[:, :, 1, :, :, 1:] += y[:, :, 3, :, :, :-1]
        y[:, :, 2, :, :, :-1] += y[:, :, 0, :, :, 1:]
        image = y[:, :, 1:3].permute(3, 0, 4, 1, 5, 2)  # n, o, h, 2, w, 2
        return (image + bias.view(-1, 1, 1, 1, 1)).reshape(n, o, 2 * h, 2 * w)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of x and weight, which are fast in torch, and of bias."""
        x, weight = ctx.saved_tensors
        arguments = (None, [2, 2], [1, 1], [1, 1], True, [0, 0], 1, [True, True, False])
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(grads[0], x, weight, *arguments)
        return of_x, of_weight, grads[0].sum((0, 2, 3))


class Widening(torch.autograd.Function):
    """Transposed convolution 4x4, stride 2, padding 1; its backward pass is a matrix product."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Save the tensors that the gradients need."""
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Map x [N, C, H, W] to [N, O, 2H, 2W], for weight [C, O, 4, 4] and bias [O]."""
        return F.conv_transpose2d(x, weight, bias, 2, 1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of x, weight and bias."""
        x, weight = ctx.saved_tensors
        grad = grads[0]
        pixels = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).to(grad.dtype)
        of_weight = (pixels.T @ patches(grad).flatten(0, 1)).to(weight.dtype)
        of_x = F.conv2d(grad, weight.to(grad.dtype), None, 2, 1).to(x.dtype)
        return of_x, of_weight.view_as(weight), grad.sum((0, 2, 3)).to(weight.dtype)


PLAIN = {
    Convolution: nn.Conv2d,
    FromImage: nn.Conv2d,
    Transposed: nn.ConvTranspose2d,
    ToImage: nn.ConvTranspose2d,
    FromVector: nn.ConvTranspose2d,
}
"""Layers here -> those of torch that compute the same."""


def plain(module: nn.Module) -> None:
    """Replace the layers of this module that are from here by torch's own, in place."""
    for layer in module.modules():
        layer.__class__ = PLAIN.get(type(layer), type(layer))


def patches(x: Tensor) -> Tensor:
    """Return the 4x4 patches, stride 2, padding 1, of x [N, C, H, W]: [N, HW / 4, 16 C].

    They are one copy of a view; torch's own function launches a GPU kernel for each image.
    """
    n, c, h, w = x.shape
    views = F.pad(x, (1, 1, 1, 1)).unfold(2, 4, 2).unfold(3, 4, 2)
    return views.permute(0, 2, 3, 1, 4, 5).reshape(n, h * w // 4, c * 16)


def cross_entropy(logits: Tensor, x: Tensor) -> Tensor:
    """Return the binary cross entropy of pixels x in [0, 1] under these logits, elementwise."""
    if logits.device.type != "cpu" or x.requires_grad:
        return F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    loss: Tensor = CrossEntropy.apply(logits, x)
    return loss


class CrossEntropy(torch.autograd.Function):
    """max(l, 0) - x l + ln(1 + exp(-|l|)); on a CPU torch's own is slow because of log1p."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Save the tensors that the gradient needs."""
        ctx.save_for_backward(*inputs)

    @staticmethod
    def forward(logits: Tensor, x: Tensor) -> Tensor:
        """Return the loss of each element."""
        rest = logits.abs().neg_().exp_().add_(1).log_()
        return rest.add_(logits.clamp_min(0)).sub_(x * logits)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        """Return the gradient of the logits, sigmoid(l) - x."""
        logits, x = ctx.saved_tensors
        return (logits.sigmoid() - x) * grads[0], None
