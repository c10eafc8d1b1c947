"""Grad-CAM: which parts of a picture raised a logit, as a coarse grid.

Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391. In a transformer the patches take the place of the positions of
a feature map: those of the last norm through which they still reach the answer, each against their mean.
"""

import math

import torch
from torch import nn
from transformers import PreTrainedModel

from studio.errors import RequestError

_FEWEST = 16  # positions of a grid that tells places apart
_NORMS = (nn.LayerNorm, nn.RMSNorm)
_FRONT = 8  # tokens before the patches, at most: of the class, registers


def grad_cam(network: PreTrainedModel, pixels: torch.Tensor, label: int) -> torch.Tensor:
    """(rows, columns) of numbers from 0 to 1 for pixels (1, 3, height, width); all 0 where nothing raised the logit.

    It is taken from the last layer that keeps places apart, in at least 16 positions if there is one.

    Raises:
        RequestError: no layer of the network does.
    """
    outputs: list[tuple[nn.Module, torch.Tensor]] = []

    def keep(module: nn.Module, _: object, output: object) -> None:
        if torch.is_tensor(output) and output.requires_grad and output.ndim in (3, 4) and len(output) == 1:
            outputs.append((module, output))

    handles = [module.register_forward_hook(keep) for module in network.modules()]
    try:
        logit = network(pixel_values=pixels.requires_grad_()).logits[0, label]
    finally:
        for handle in handles:
            handle.remove()
    norms = [output for module, output in outputs if isinstance(module, _NORMS) and output.ndim == 3]
    layers = norms or [output for _, output in outputs if output.ndim == 4]
    slopes = torch.autograd.grad(logit, layers, allow_unused=True) if layers else ()
    raised = _last_map(layers, slopes, pixels.shape[-1] / pixels.shape[-2])
    if raised is None:
        raise RequestError(
            f"a {network.config.model_type} model keeps no parts of the picture apart that could be shown"
        )
    raised = raised.clamp(min=0)
    return raised / raised.max().clamp(min=torch.finfo(raised.dtype).tiny)


def _last_map(
    layers: list[torch.Tensor], slopes: tuple[torch.Tensor | None, ...], aspect: float
) -> torch.Tensor | None:
    """(rows, columns): what the last layer whose positions count adds to the logit; of coarse layers, the finest."""
    coarse = None
    for layer, slope in zip(reversed(layers), reversed(slopes), strict=True):
        if slope is None:
            continue
        activation, gradient = _by_place(layer.detach(), aspect), _by_place(slope, aspect)  # (channels, rows, columns)
        if activation is None or not gradient.any():
            continue
        if layer.ndim == 3:  # norms of tokens share a large part, which says nothing of places
            activation = activation - activation.mean((1, 2), keepdim=True)
        raised = (gradient.mean((1, 2), keepdim=True) * activation).sum(0)
        if raised.numel() >= _FEWEST:
            return raised
        if coarse is None or raised.numel() > coarse.numel():
            coarse = raised
    return coarse


def _by_place(values: torch.Tensor, aspect: float) -> torch.Tensor | None:
    """A layer's values as (channels, rows, columns); None where its positions are not those of the picture.

    A network sees squares, or `aspect` times as wide as high; so are its maps, with channels first or last.
    """
    if values.ndim == 3:
        columns = math.isqrt(round(values.shape[1] * aspect))
        rows = round(columns / aspect)
        front = values.shape[1] - rows * columns  # patches come last
        if rows * columns < 2 or not 0 <= front <= _FRONT:
            return None
        return values[0, front:].T.unflatten(1, (rows, columns))
    for channel, rows, columns in ((1, 2, 3), (3, 1, 2)):
        height, width = values.shape[rows], values.shape[columns]
        if height * width > 1 and abs(width - height * aspect) < max(1, aspect):
            return values[0].movedim(channel - 1, 0)
    return None
