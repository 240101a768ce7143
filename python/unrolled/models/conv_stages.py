"""Stages of 3x3 convolutions with pooling between them: what classifiers of images begin with."""

from __future__ import annotations

from collections.abc import Sequence

from unrolled import nn

Stages = Sequence[Sequence[int]]

_MOST_PIXELS = 8  # a side of what is averaged at the end


def stages_for(image_size: tuple[int, int]) -> tuple[tuple[int, ...], ...]:
    """Suggest stages for images of a size: pooled until at most eight pixels are left a side.

    Examples
    --------
    >>> stages_for((28, 28))
    ((16, 32), (48, 48), (64, 64))
    """
    filters = ((16, 32), (48, 48), (64, 64), (96, 96), (128, 128))
    count = 1
    while (
        max(image_size) >> (count - 1) > _MOST_PIXELS
        and min(image_size) >> count
        and count < len(filters)
    ):
        count += 1
    return filters[:count]


def conv_layers(stages: Stages, channels: int) -> list[nn.Module]:
    """Pool before ReLU, which gives the same with a quarter of the work."""
    layers: list[nn.Module] = []
    for number, stage in enumerate(stages):
        for position, filters in enumerate(stage):
            layers += [
                nn.Conv2d(channels, filters, 3, padding=1, bias=False),
                nn.BatchNorm2d(filters),
            ]
            if position == len(stage) - 1 and number < len(stages) - 1:
                layers.append(nn.MaxPool2d(2))
            layers.append(nn.ReLU())
            channels = filters
    return layers


def check_stages(stages: Stages, image_size: tuple[int, int]) -> None:
    """Raise ValueError if a stage is empty or the image too small for so many."""
    if not stages or not all(len(stage) for stage in stages):
        raise ValueError("stages must name the filters of at least one convolution each")
    least = 2 ** (len(stages) - 1)
    if min(image_size) < least:
        raise ValueError(
            f"image_size is {image_size}, but {len(stages)} stages pool {least} pixels to one: "
            "give fewer stages, or larger images"
        )
