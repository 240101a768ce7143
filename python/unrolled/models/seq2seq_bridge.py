"""From the state in which an encoder ends to the one in which a decoder begins."""

from __future__ import annotations

from typing import Any

from unrolled import nn
from unrolled.autograd import Tensor


class Bridge(nn.Module):
    """Joins the directions of an encoder's layers to states of the decoder's.

    The decoder's layers begin where the encoder's last ones ended. A decoder of more layers than
    the encoder begins in ``tanh`` of a linear map of all of them.

    Parameters
    ----------
    encoder_layers, decoder_layers : int
    hidden : int
        Size of a layer's state, of all directions together.
    parts : int
        Arrays of a state: 2 of an LSTM, h and c, else 1.
    """

    def __init__(self, encoder_layers: int, decoder_layers: int, hidden: int, parts: int) -> None:
        self.encoder_layers, self.decoder_layers = encoder_layers, decoder_layers
        self.hidden = hidden
        self.maps = [
            nn.Linear(encoder_layers * hidden, decoder_layers * hidden)
            for _ in range(parts if decoder_layers > encoder_layers else 0)
        ]

    def forward(self, state: Any) -> Any:
        """Return the state (decoder_layers, N, H) of (encoder_layers * directions, N, ...)."""
        if self._fits(state):
            return state
        parts = state if isinstance(state, tuple) else (state,)
        joined = [self._join(part) for part in parts]
        if self.maps:
            joined = [self._map(*item) for item in zip(self.maps, joined, strict=True)]
        else:
            joined = [part[self.encoder_layers - self.decoder_layers :] for part in joined]
        return tuple(joined) if len(joined) > 1 else joined[0]

    def _fits(self, state: Any) -> bool:
        h = state[0] if isinstance(state, tuple) else state
        layers, hidden = h.shape[0], h.shape[2]
        return (layers, hidden) == (self.decoder_layers, self.hidden) and not self.maps

    def _join(self, part: Tensor) -> Tensor:
        """Put the directions side by side: (layers * directions, N, h) as (layers, N, H)."""
        count = part.shape[1]
        split = part.reshape(self.encoder_layers, -1, count, part.shape[2])
        return split.transpose(0, 2, 1, 3).reshape(self.encoder_layers, count, self.hidden)

    def _map(self, linear: nn.Linear, part: Tensor) -> Tensor:
        flat = part.transpose(1, 0, 2).reshape(part.shape[1], -1)
        mapped: Tensor = linear(flat).tanh()
        return mapped.reshape(-1, self.decoder_layers, self.hidden).transpose(1, 0, 2)
