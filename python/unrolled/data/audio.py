"""Recordings: audio files as samples, and log-mel frames of them.

Files are decoded by ``soundfile`` and filtered by ``kaldi-native-fbank``, which are not part of a
plain installation: ``pip install 'unrolled[audio]'``. Both load when they are first used.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unrolled.data.labels import DataError
from unrolled.data.sequences import Floats

SUFFIXES = (".wav", ".flac", ".ogg")


def read_audio(path: str | os.PathLike[str]) -> tuple[Floats, int]:
    """Read a recording.

    Parameters
    ----------
    path
        WAV, FLAC or OGG; several channels are averaged.

    Returns
    -------
    samples : ndarray of float32 (n)
        In [-1, 1].
    rate : int
        Samples a second.

    Raises
    ------
    DataError
        If there is no such file, it is no recording that can be read, has no sample, or one that
        is not finite.
    ImportError
        Without soundfile; says how to install it.
    """
    soundfile = _imported("soundfile")
    if not Path(path).is_file():
        what = "is a folder" if Path(path).is_dir() else "no such file"
        raise DataError([f"{path}: {what}; name a recording ({', '.join(SUFFIXES)})"])
    try:
        channels, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError) as error:
        reason = str(error).rpartition(": ")[2].rstrip(".")
        raise DataError([f"{path}: not a recording that can be read ({reason})"]) from None
    except OSError as error:
        raise DataError([f"{path}: cannot be read ({error.strerror or error})"]) from None
    samples: Floats = channels.mean(axis=1, dtype=np.float32)
    if not len(samples):
        raise DataError([f"{path}: has no sample; leave it out"])
    if not np.isfinite(samples).all():
        raise DataError([f"{path}: has samples that are not finite; write it again"])
    return samples, int(rate)


@dataclass(frozen=True)
class LogMel:
    """Log energies of mel-spaced bands in short windows: what the ear tells vowels by.

    Windows of 25 ms every 10 ms, pre-emphasis and a Povey window, the energies of triangular
    filters evenly spaced in mel, and their natural logarithms, as Kaldi computes them. What is
    far below the loudest value is raised to a floor, so that silence is alike in every recording,
    and the mean of the recording is taken off, so that loudness does not count.

    Parameters
    ----------
    rate : int
        Samples a second that recordings must have.
    bands : int
        Filters, the features of a frame.
    window, step : float
        Milliseconds.
    depth : float
        From the loudest value down to the floor, in natural logarithms; 12 are 52 decibels.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Davis, Mermelstein: Comparison of parametric representations for monosyllabic word recognition
    in continuously spoken sentences (1980). Povey and others: The Kaldi speech recognition
    toolkit (2011).
    """

    rate: int
    bands: int = 40
    window: float = 25.0
    step: float = 10.0
    depth: float = 12.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.rate < 1000:
            raise ValueError(f"rate is {self.rate}; it must be at least 1000 samples a second")
        if not 1 <= self.bands <= 128:
            raise ValueError(f"bands is {self.bands}; it must lie in [1, 128]")
        if not (0 < self.step <= self.window < 1000):
            raise ValueError(
                f"step is {self.step}, window {self.window}; they must be above 0, the step not "
                "above the window, and below 1000 ms"
            )
        if not self.depth > 0:
            raise ValueError(f"depth is {self.depth}; it must be above 0")

    @property
    def arguments(self) -> dict[str, Any]:
        """What makes another one, as JSON can hold it."""
        return asdict(self)

    def __call__(self, samples: ArrayLike) -> Floats:
        """Return frames (T, bands) of samples (n) in [-1, 1], at least one.

        Raises
        ------
        ImportError
            Without kaldi-native-fbank; says how to install it.
        """
        fbank = _imported("kaldi_native_fbank")
        computer = fbank.OnlineFbank(self._options(fbank))
        # Kaldi's scale is that of 16-bit integers; energies below 1 of it are cut off.
        scaled = np.asarray(samples, np.float32) * np.float32(32768)
        missing = int(self.window * self.rate / 1000) + 1 - len(scaled)
        scaled = np.pad(scaled, (0, max(0, missing)))  # at least a window, and so a frame
        computer.accept_waveform(self.rate, scaled)
        computer.input_finished()
        rows = [computer.get_frame(i) for i in range(computer.num_frames_ready)]
        frames = np.array(rows, np.float32)
        frames = np.maximum(frames, frames.max() - np.float32(self.depth))
        centred: Floats = frames - np.float32(frames.mean(dtype=np.float64))
        return centred

    def _options(self, fbank: Any) -> Any:
        options = fbank.FbankOptions()
        options.frame_opts.samp_freq = self.rate
        options.frame_opts.frame_length_ms = self.window
        options.frame_opts.frame_shift_ms = self.step
        options.frame_opts.dither = 0.0  # noise at random: the same recording, other frames
        options.frame_opts.snip_edges = False  # a frame for every step, also of the shortest
        options.mel_opts.num_bins = self.bands
        return options


def load_frames(path: str | os.PathLike[str], log_mel: LogMel) -> Floats:
    """Read a recording and make frames of it.

    Raises
    ------
    DataError
        As `read_audio`, or if the recording has another rate.
    ImportError
        Without the libraries.
    """
    samples, rate = read_audio(path)
    if rate != log_mel.rate:
        raise DataError(
            [
                f"{path}: has {rate} samples a second, not {log_mel.rate}; convert it, such as "
                f"with: ffmpeg -i IN -ar {log_mel.rate} OUT.wav"
            ]
        )
    return log_mel(samples)


def _imported(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except (ImportError, OSError):
        what = {"soundfile": "recordings are read with soundfile"}.get(
            name, "log-mel frames are made with kaldi-native-fbank"
        )
        raise ImportError(
            f"{what}, which is not installed; install it with: pip install 'unrolled[audio]'"
        ) from None
