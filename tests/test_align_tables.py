"""JSON, tab-separated values and label tracks: exact texts, units, what is not known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alignment_problems import LABELS, random_alignment, words_at
from unrolled.align import Alignment, WordSlice, to_audacity, to_json, to_tsv


@pytest.fixture
def mixed():
    """Return an alignment with a good word, one left out, a wildcard and an interpolated one."""
    states = np.array([0, 1, 1, 2, 4, 5, 6], np.int32)
    words = [
        WordSlice("good", 0, 1),
        WordSlice("left\tout", 1, 2),
        WordSlice("12", 2, 3, "star"),
        WordSlice("&", 3, 3, "interpolated"),
    ]
    scores = np.log([1, 0.5, 0.25, 1, 1, 0.125, 1])
    return Alignment(
        states, -4.0, np.array([2, 3, 28]), 0, scores, star=28, labels=LABELS, word_slices=words
    )


def test_tables_hold_every_word_with_its_flags(mixed):
    assert to_tsv(mixed.replace(seconds_per_frame=0.02)).splitlines() == [
        "start\tend\ttext\tscore\tmin_score\tposterior\testimated\tomitted",
        "0.02\t0.06\tgood\t-1.03972\t-1.38629\t\t0\t0",
        "0.08\t0.08\tleft out\t\t\t\t0\t1",
        "0.1\t0.12\t12\t-2.07944\t-2.07944\t\t1\t0",
        "0.12\t0.14\t&\t\t\t\t1\t0",
    ]


def test_tables_count_in_pixels_or_frames_where_there_are_no_seconds(mixed):
    rows = [line.split("\t")[:2] for line in to_tsv(mixed).splitlines()[1:]]
    assert rows == [["1", "3"], ["4", "4"], ["5", "6"], ["6", "7"]]
    text = to_tsv(mixed.replace(stride=2.5, offset=1.0))
    assert [line.split("\t")[:2] for line in text.splitlines()[1:]] == [
        ["4", "9"], ["11", "11"], ["14", "16"], ["16", "19"]
    ]  # fmt: skip
    with pytest.raises(ValueError, match="pass seconds_per_frame"):
        to_audacity(mixed)


def test_label_tracks_have_six_decimals(mixed):
    assert to_audacity(mixed.replace(seconds_per_frame=1 / 3), level="tokens") == (
        "0.333333\t1.000000\ta\n1.333333\t1.333333\tb\n1.666667\t2.000000\t<star>\n"
    )


def test_parts_of_a_recording_are_sorted():
    parts = [words_at(("b", 0, 100), offset=5.0), words_at(("a", 0, 100))]
    assert to_audacity(parts) == "0.000000\t0.100000\ta\n5.000000\t5.100000\tb\n"
    assert [line.split("\t")[2] for line in to_tsv(parts).splitlines()] == ["text", "a", "b"]


def test_json_holds_all_that_is_known(mixed):
    alignment = mixed.replace(seconds_per_frame=0.02, posterior=np.full(7, 0.75))
    content = json.loads(to_json(alignment))
    assert {name: content[name] for name in ("score", "frames", "seconds_per_frame")} == {
        "score": -4.0, "frames": 7, "seconds_per_frame": 0.02
    }  # fmt: skip
    assert content["words"][0] == {
        "text": "good", "start_frame": 1, "end_frame": 3, "start": 0.02, "end": 0.06,
        "score": pytest.approx(np.log([0.5, 0.25]).mean()), "min_score": np.log(0.25),
        "posterior": 0.75, "estimated": False, "omitted": False, "first_token": 0, "last_token": 1,
    }  # fmt: skip
    left_out = content["words"][1]
    assert left_out["score"] is None and left_out["omitted"] and left_out["text"] == "left\tout"
    assert content["words"][3]["first_token"] == content["words"][3]["last_token"] == 3
    assert [token["label"] for token in content["tokens"]] == ["a", "b", "<star>"]
    assert content["tokens"][2]["estimated"] and content["tokens"][2]["token"] == 28


def test_100_random_alignments_are_read_back(rng, tmp_path):
    path = tmp_path / "all.json"
    alignments = [
        random_alignment(rng, separator=1, labels=["_", *LABELS[1:]], stride=3.0)[0]
        for _ in range(100)
    ]
    to_json(alignments, path, indent=None)
    for alignment, content in zip(alignments, json.loads(path.read_bytes()), strict=True):
        assert len(content["tokens"]) == len(alignment.spans)
        for token, span in zip(content["tokens"], alignment.spans, strict=True):
            assert (token["start_frame"], token["end_frame"]) == (span.start, span.end)
            assert (token["left"], token["right"]) == (span.left, span.right)
            assert token["score"] == (None if span.omitted else span.score)
        for word, own in zip(content.get("words", []), alignment.words, strict=True):
            tokens = alignment.spans[word["first_token"] : word["last_token"]]
            assert tuple(tokens) == own.spans and word["text"] == own.text


def test_what_has_no_path_is_null_and_valid_json():
    nowhere = words_at(("a", 0, 4)).replace(states=np.full(4, -1, np.int32), score=-np.inf)
    assert json.loads(to_json(nowhere))["score"] is None
    assert json.loads(to_json(nowhere))["words"][0]["omitted"]


def test_json_keeps_letters_as_they_are(tmp_path):
    path = tmp_path / "a.json"
    text = words_at(("größer", 0, 4)).to_json(path)
    assert '"größer"' in text and path.read_bytes().decode() == text


def test_methods_write_what_functions_write(tmp_path, mixed):
    import unrolled.align as align

    alignment = mixed.replace(seconds_per_frame=0.5)
    for name in ("srt", "vtt", "ass", "textgrid", "ctm", "json", "tsv", "audacity"):
        path = tmp_path / f"file.{name}"
        text = getattr(alignment, f"to_{name}")(path)
        assert text == getattr(align, f"to_{name}")(alignment)
        assert path.read_bytes().decode("utf-8") == text


def test_a_failed_write_keeps_the_file(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("before")
    with pytest.raises(ValueError, match="there are no words"):
        words_at(("a", 0, 4)).replace(word_slices=None).to_tsv(path, level="words")
    assert path.read_text() == "before"
    with pytest.raises(ValueError, match="level must be"):
        words_at(("a", 0, 4)).to_tsv(level="letters")
