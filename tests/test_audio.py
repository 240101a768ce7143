"""Recordings: files as samples, log-mel frames, and what folders of them hold."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from sequence_problems import tone, write_recordings, write_wav
from unrolled.data import audio
from unrolled.data.audio import LogMel, load_frames, read_audio
from unrolled.data.labels import DataError
from unrolled.data.recordings import load_recordings, parse_name

soundfile = pytest.importorskip("soundfile", reason="needs soundfile (unrolled[audio])")
pytest.importorskip("kaldi_native_fbank", reason="needs kaldi-native-fbank (unrolled[audio])")


def test_samples_are_read_as_written_and_channels_averaged(tmp_path):
    wave = tone(440)
    samples, rate = read_audio(write_wav(tmp_path / "a.wav", wave))
    assert rate == 8000 and samples.dtype == np.float32
    np.testing.assert_allclose(samples, wave, atol=1e-4)
    soundfile.write(tmp_path / "b.flac", np.stack([wave, 0 * wave], axis=1), 16000)
    halved, rate = read_audio(tmp_path / "b.flac")
    assert rate == 16000
    np.testing.assert_allclose(halved, wave / 2, atol=1e-4)


def test_files_that_cannot_be_used_are_told(tmp_path):
    (tmp_path / "no.wav").write_bytes(b"RIFF no audio at all")
    write_wav(tmp_path / "empty.wav", np.zeros(0))
    for path, message in (
        (tmp_path / "none.wav", "none.wav: no such file"),
        (tmp_path, "is a folder; name a recording"),
        (tmp_path / "no.wav", "no.wav: not a recording that can be read"),
        (tmp_path / "empty.wav", "empty.wav: has no sample"),
    ):
        with pytest.raises(DataError, match=message):
            read_audio(path)
    soundfile.write(tmp_path / "nan.wav", np.array([0, np.nan]), 8000, subtype="FLOAT")
    with pytest.raises(DataError, match="samples that are not finite"):
        read_audio(tmp_path / "nan.wav")


def test_the_frames_of_a_tone_are_strongest_in_its_band():
    log_mel = LogMel(8000, bands=20)
    frames = log_mel(np.concatenate([tone(400), tone(3000)]))
    assert frames.shape == (24, 20) and frames.dtype == np.float32
    first, second = frames[:9].mean(axis=0), frames[-9:].mean(axis=0)
    # 20 filters from 20 to 4,000 Hz, evenly in mel: the places of the two pitches.
    mel = 1127 * np.log1p(np.array([20, 400, 3000, 4000]) / 700)
    places = (mel[1:3] - mel[0]) / (mel[3] - mel[0]) * 21 - 1
    assert abs((first - second).argmax() - places[0]) <= 1
    assert abs((second - first).argmax() - places[1]) <= 1
    assert frames.mean() == pytest.approx(0, abs=1e-5)
    assert np.ptp(frames) == pytest.approx(12, abs=1e-4)  # the quiet bands lie at the floor
    assert np.ptp(LogMel(8000, bands=20, depth=3)(tone(400))) == pytest.approx(3, abs=1e-4)


def test_loudness_does_not_matter_and_the_same_recording_gives_the_same_bits():
    log_mel, wave = LogMel(8000), tone(700, seed=4)
    np.testing.assert_array_equal(log_mel(wave), log_mel(wave.copy()))
    np.testing.assert_allclose(log_mel(0.25 * wave), log_mel(wave), atol=1e-3)
    assert len(log_mel(wave[:1])) >= 1 and np.isfinite(log_mel(np.zeros(400))).all()


def test_arguments_are_checked_and_make_the_same_again():
    log_mel = LogMel(16000, bands=13, window=32, step=16)
    assert LogMel(**log_mel.arguments) == log_mel
    for options, message in (
        ({"rate": 10}, "rate is 10"),
        ({"rate": 8000, "bands": 0}, "bands is 0"),
        ({"rate": 8000, "step": 30}, "step is 30"),
        ({"rate": 8000, "depth": 0}, "depth is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            LogMel(**options)


def test_another_rate_is_refused_with_what_to_do(tmp_path):
    path = write_wav(tmp_path / "a.wav", tone(300, rate=16000), 16000)
    with pytest.raises(DataError, match="has 16000 samples a second, not 8000; convert it"):
        load_frames(path, LogMel(8000))


def test_names_say_label_speaker_and_number():
    assert parse_name("x/yes_no_ann_012.wav") == ("yes_no", "ann", 12)
    for name in ("a.wav", "a_b.wav", "a_b_c.wav", "_b_1.wav"):
        assert parse_name(name) is None


def test_a_folder_of_named_recordings(tmp_path):
    folder = write_recordings(tmp_path / "tones")
    (folder / "notes.txt").write_text("not a recording")
    (folder / ".hidden.wav").write_bytes(b"")
    seen = []
    data, log_mel = load_recordings(folder, bands=12, progress=lambda x: seen.append(len(x)) or x)
    assert data.classes == ("high", "low") and len(data) == 16 and seen == [16]
    assert log_mel == LogMel(8000, 12) and data.features == 12
    for name, label in zip(data.names, data.labels, strict=True):
        assert parse_name(name).label == data.classes[label]
    np.testing.assert_array_equal(
        data.sequences[3], load_frames(data.names[3], LogMel(8000, bands=12))
    )
    again, _ = load_recordings(folder, log_mel, classes=("low", "high"))
    assert (again.labels == 1 - data.labels).all()


def test_a_folder_of_class_folders(tmp_path):
    for label, pitch in (("low", 300), ("high", 2000)):
        write_wav(tmp_path / label / "deeper" / "anything.wav", tone(pitch))
    data, _ = load_recordings(tmp_path)
    assert data.classes == ("high", "low") and data.labels.tolist() == [0, 1]


def test_wrong_folders_are_told(tmp_path):
    folder = write_recordings(tmp_path / "tones", numbers=range(2))
    with pytest.raises(DataError, match=r"low_ann_0.wav: low is no class of the model.*high, mid"):
        load_recordings(folder, classes=("high", "mid"))
    write_wav(folder / "strange.wav", tone(300))
    with pytest.raises(DataError, match=r"strange.wav: is not named \{label\}_\{speaker\}"):
        load_recordings(folder)
    (folder / "strange.wav").unlink()
    write_wav(folder / "low_eve_0.wav", tone(300, rate=16000), 16000)
    write_wav(folder / "low_eve_1.wav", np.zeros(0))
    with pytest.raises(DataError, match="2 problems") as caught:
        load_recordings(folder)
    assert "low_eve_0.wav" in caught.value.problems[0]
    with pytest.raises(DataError, match="no such folder"):
        load_recordings(tmp_path / "none")
    (tmp_path / "classes" / "a").mkdir(parents=True)
    write_wav(tmp_path / "classes" / "b" / "x.wav", tone(300))
    with pytest.raises(DataError, match=r"class without a recording; add WAV, FLAC or OGG"):
        load_recordings(tmp_path / "classes")
    only = write_wav(tmp_path / "only" / "low_ann_0.wav", tone(300)).parent
    with pytest.raises(DataError, match="has the single class low; a classifier needs two"):
        load_recordings(only)


@pytest.mark.parametrize("name", ["soundfile", "kaldi_native_fbank"])
def test_without_the_libraries_it_says_what_to_install(name, tmp_path, monkeypatch):
    path = write_wav(tmp_path / "a.wav", tone(300))
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'unrolled\[audio\]'"):
        load_frames(path, LogMel(8000))


def test_the_module_loads_without_the_libraries(monkeypatch):
    import importlib

    for name in ("soundfile", "kaldi_native_fbank"):
        monkeypatch.setitem(sys.modules, name, None)
    importlib.reload(audio)
