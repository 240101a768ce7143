"""The receptive field against a probe: which inputs does one output really depend on?"""

from __future__ import annotations

import numpy as np
import pytest

import unrolled as ur
from unrolled import nn
from unrolled.autograd import Tensor


def conv(axes, *args, **options):
    """Return a convolution with positive weights: no gradient can cancel."""
    layer = (nn.Conv1d if axes == 1 else nn.Conv2d)(*args, **options)
    layer.weight.data = np.abs(layer.weight.data) + 0.1
    return layer


STACKS = {
    "one": [conv(1, 1, 2, 5)],
    "padded": [conv(1, 1, 2, 5, padding=2), conv(1, 2, 1, 3, padding=1)],
    "strided": [conv(1, 1, 2, 4, 3, 1), conv(1, 2, 2, 3, 2, 1), conv(1, 2, 1, 2)],
    "dilated": [conv(1, 1, 1, 3, dilation=2), conv(1, 1, 1, 3, dilation=4)],
    "gaps": [conv(1, 1, 1, 2, stride=3), conv(1, 1, 1, 2, dilation=2)],
    "same": [conv(1, 1, 2, 4, padding="same", dilation=3), conv(1, 2, 1, 2, padding="same")],
    "wavenet": [conv(1, 1, 1, 2, dilation=2**k) for k in range(4)],
    "two axes": [
        conv(2, 1, 2, (3, 1), (2, 1), (1, 0)),
        nn.BatchNorm2d(2).eval(),
        conv(2, 2, 1, (2, 5), (1, 3), (0, 2), (2, 1)),
    ],
    "grouped": [conv(2, 1, 4, 3, padding=1), conv(2, 4, 4, 3, groups=4), conv(2, 4, 1, 1)],
    "pooled": [
        conv(2, 1, 2, 3, padding=1, activation="relu"),
        nn.MaxPool2d(2),
        nn.Dropout().eval(),
        nn.Sequential(conv(2, 2, 2, 3), nn.ReLU(), nn.MaxPool2d((3, 1), stride=(2, 1))),
    ],
}


def seen_by(model, image, output):
    """Return which pixels of `image` the output depends on: a NaN in one of these reaches it."""
    found = np.zeros(image.shape[2:], bool)
    for place in np.ndindex(*image.shape[2:]):
        spoiled = image.copy()
        spoiled[(0, 0, *place)] = np.nan
        found[place] = np.isnan(model(spoiled).data[(0, 0, *output)])
    return found


def expected(field, shape, output):
    """Mark the positions of the field that lie in the image."""
    marks = np.zeros(shape, bool)
    per_axis = field.positions(*output)
    inside = [[p for p in places if 0 <= p < n] for places, n in zip(per_axis, shape, strict=True)]
    marks[np.ix_(*inside)] = True
    return marks


@pytest.mark.parametrize("name", STACKS)
def test_an_output_depends_on_its_field_exactly(name):
    model = nn.Sequential(*STACKS[name])
    field = nn.receptive_field(model)
    shape = (33,) if len(field.size) == 1 else (17, 19)
    image = np.ones((1, 1, *shape), np.float32)
    outputs = model(image).shape[2:]
    middle = tuple(n // 2 for n in outputs)
    wanted = expected(field, shape, middle)
    np.testing.assert_array_equal(seen_by(model, image, middle), wanted)
    if name != "pooled":  # a maximum passes its gradient to the winner alone
        x = Tensor(image, requires_grad=True)
        model(x)[(0, 0, *middle)].backward()
        np.testing.assert_array_equal(x.grad[0, 0] != 0, wanted)
    for corner in ((0,) * len(outputs), tuple(n - 1 for n in outputs)):
        seen = seen_by(model, image, corner)
        assert seen.any()
        assert not (seen & ~expected(field, shape, corner)).any()


def test_sizes_strides_and_offsets():
    field = nn.receptive_field([nn.Conv2d(3, 8, 7, 2, 3), nn.MaxPool2d(3, 2, 1), nn.ReLU()])
    assert (field.size, field.stride, field.offset) == ((11, 11), (4, 4), (-5, -5))
    vgg_block = [nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1), nn.MaxPool2d(2)]
    field = nn.receptive_field(nn.Sequential(*vgg_block * 2))
    assert (field.size, field.stride, field.offset) == ((16, 16), (4, 4), (-6, -6))
    field = nn.receptive_field(nn.Sequential(*STACKS["wavenet"]))
    assert (field.size, field.stride, field.offset) == ((16,), (1,), (0,))
    assert field.positions(5) == (tuple(range(5, 21)),)
    gaps = nn.receptive_field(nn.Conv1d(1, 1, 3, stride=5, padding=2, dilation=2))
    assert (gaps.size, gaps.stride, gaps.offset, gaps.taps) == ((5,), (5,), (-2,), ((0, 2, 4),))
    assert gaps.positions(2) == ((8, 10, 12),)


class OldPool1d(nn.Module):
    """A layer of someone else's: known by its attributes and by the end of its name."""

    def __init__(self, kernel_size, stride=None, padding=0):
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding


class Block(nn.Module):
    def __init__(self):
        self.first, self.second = nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3)


class Windows(nn.Module):
    def __init__(self):
        self.kernel_size, self.stride = 3, 1


def test_layers_of_others_are_known_by_their_attributes():
    field = nn.receptive_field([nn.Conv1d(1, 1, 3), OldPool1d(2), OldPool1d(3, 1, 1)])
    assert (field.size, field.stride, field.offset) == ((8,), (2,), (-2,))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Conv1d(1, 1, 3), nn.Linear(4, 4)), "layer 1, Linear, mixes positions"),
        ([nn.Conv1d(1, 1, 3), nn.Sequential(nn.ReLU(), nn.LSTM(4, 4))], r"layer 1\.1, LSTM, mixes"),
        (nn.Sequential(nn.ConvTranspose2d(1, 1, 3)), "ConvTranspose2d, mixes"),
        (nn.Linear(2, 2), "Linear mixes"),
        (Block(), "Block holds layers in an order"),
        (Windows(), "Windows does not tell its number of axes"),
        (nn.Sequential(nn.ReLU()), "no convolution or pooling"),
        ([], "no convolution or pooling"),
        ([nn.Conv1d(1, 1, 3), nn.Conv2d(1, 1, 3)], "layers of one and of two axes"),
    ],
)
def test_what_has_no_field_is_named(model, message):
    with pytest.raises(ValueError, match=message):
        nn.receptive_field(model)


def test_what_is_no_model_is_named():
    with pytest.raises(TypeError, match="model must be a Module"):
        nn.receptive_field(3)
    with pytest.raises(TypeError, match="layer 1 is a int"):
        nn.receptive_field([nn.ReLU(), 3])
    field = nn.receptive_field(nn.Conv2d(1, 1, 3))
    with pytest.raises(ValueError, match="needs 2 positions, got 1"):
        field.positions(1)


def test_the_field_is_reachable_from_the_package():
    assert ur.nn.receptive_field is nn.receptive_field
    assert isinstance(nn.receptive_field(nn.Conv2d(1, 1, 3)), nn.ReceptiveField)
