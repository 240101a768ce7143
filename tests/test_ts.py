"""Files of labelled time series: what they hold, and every fault with its line."""

from __future__ import annotations

import numpy as np
import pytest

from sequence_problems import ramps, ts_text, write_ts
from unrolled.data.labels import DataError
from unrolled.data.ts import find_test, read_ts


def write(tmp_path, text, name="A_TRAIN.ts"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def problems(tmp_path, text, **options):
    with pytest.raises(DataError) as caught:
        read_ts(write(tmp_path, text), **options)
    return caught.value.problems


def test_what_was_written_is_read(tmp_path):
    sequences, labels = ramps(7, features=3)
    path = write(tmp_path, ts_text(sequences, labels, dimensions=3, equalLength="false"))
    data = read_ts(path)
    assert data.classes == ("down", "up") and data.features == 3 and len(data) == 7
    assert data.labels.tolist() == labels.tolist() and data.labels.dtype == np.int64
    assert data.names == [f"{path}:{line}" for line in range(7, 14)]
    for read, written in zip(data.sequences, sequences, strict=True):
        assert read.dtype == np.float32
        np.testing.assert_allclose(read, written, atol=1e-6)
    assert data.lengths.tolist() == [len(sequence) for sequence in sequences]


def test_names_of_the_header_in_any_case_comments_and_line_ends(tmp_path):
    text = (
        "\ufeff%# old comment\r\n\r\n@PROBLEMNAME x\r\n@TimeStamps FALSE\r\n@univariate true\r\n"
        "@somethingelse 4\r\n@classlabel True a b\r\n@DATA\r\n# within\r\n 1, 2 ,-3e-1 : b \r\n"
    )
    data = read_ts(write(tmp_path, text))
    assert data.sequences[0].ravel().tolist() == pytest.approx([1, 2, -0.3])
    assert data.labels.tolist() == [1]


def test_missing_values_are_nan(tmp_path):
    data = read_ts(write(tmp_path, "@classLabel true a b\n@data\n1,?,NaN:?,5,6:a\n"))
    nan = np.nan
    np.testing.assert_array_equal(data.sequences[0], [[1, nan], [nan, 5], [nan, 6]])


def test_labels_may_be_absent_where_none_are_needed(tmp_path):
    path = write(tmp_path, "@dimensions 2\n@classLabel false\n@data\n1,2:3,4\n5:6\n")
    data = read_ts(path, labelled=False)
    assert data.labels.tolist() == [-1, -1] and data.classes == ()
    assert data.sequences[0].tolist() == [[1, 3], [2, 4]]
    assert "has no labels; a line @classLabel true" in problems(tmp_path, path.read_bytes())[0]


HEAD = "@classLabel true a b\n@data\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (HEAD + "1,2:a\n1,x:b\n", 4, "dimension 1: value 2 is 'x', not a number; write ?"),
        (HEAD + "1,2:a\n1,:b\n", 4, "value 2 is '', not a number"),
        (HEAD + "1,2:1,2:a\n1,2:1,1e39:b\n", 4, "dimension 2: value 2 is 1e39, which float32"),
        (HEAD + "1,inf:a\n", 3, "value 2 is inf, which float32 cannot hold"),
        (HEAD + "1,2:a\n1,2:c\n", 4, "label 'c' is not among the classes"),
        (HEAD + "1,2:a\n1,2\n", 4, "label '1,2' is not among the classes"),
        (HEAD + "1,2:a\n1,2:3,4:b\n", 4, "has 2 dimension(s), not 1"),
        (HEAD + "1,2:3,4:a\n1,2:3:b\n", 4, "dimension 2 has 1 value(s), not 2"),
        ("@dimensions 3\n" + HEAD + "1:2:a\n", 4, "has 2 dimension(s), not 3"),
        ("@univariate true\n" + HEAD + "1:2:a\n", 4, "has 2 dimension(s), not 1"),
        (
            "@equalLength true\n@seriesLength 3\n" + HEAD + "1,2:a\n",
            5,
            "dimension 1 has 2 value(s), not 3",
        ),
        ("@missing false\n" + HEAD + "1,?:a\n", 4, "the header says @missing false"),
        ("@dimensions two\n" + HEAD + "1:a\n", 1, "@dimensions is 'two', it must be a whole"),
        ("@univariate maybe\n" + HEAD + "1:a\n", 1, "@univariate is 'maybe', it must be true"),
        ("@classLabel true a a\n@data\n1:a\n", 1, "@classLabel names a twice"),
        ("@classLabel true\n@data\n1:a\n", 1, "@classLabel names no class"),
        ("@classLabel a b\n@data\n1:a\n", 1, "@classLabel must be followed by true"),
        ("@problemName x\n1,2:a\n", 2, "data before @data"),
        (b"@classLabel true a\n@data\n1:\xff\n", 3, "not UTF-8"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path, text, line, message):
    (problem,) = problems(tmp_path, text)
    assert problem.startswith(f"{tmp_path / 'A_TRAIN.ts'}:{line}: ") and message in problem


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no line @data"),
        ("@classLabel true a b\n", "has no line @data"),
        (HEAD, "has no case after @data"),
        ("@timeStamps true\n" + HEAD + "(1,2):a\n", "has time stamps"),
        ("@targetLabel true\n@data\n1:0.5\n", "has numbers to predict"),
        ("@univariate true\n@dimensions 2\n" + HEAD + "1:a\n", "correct one of them"),
    ],
)
def test_a_fault_of_the_whole_file_is_told(tmp_path, text, message):
    (problem,) = problems(tmp_path, text)
    assert message in problem


def test_all_faults_are_told_together(tmp_path):
    found = problems(tmp_path, HEAD + "1,x:a\n1,2:a\n1,2:c\n")
    assert [problem.split(": ")[0][-2:] for problem in found] == [":3", ":5"]
    with pytest.raises(DataError, match="no such file"):
        read_ts(tmp_path / "none.ts")
    with pytest.raises(DataError, match="is a folder"):
        read_ts(tmp_path)


def test_the_test_file_lies_beside_the_training_file(tmp_path):
    train = write_ts(tmp_path / "Ramps_TRAIN.ts")
    assert find_test(train) is None
    test = write_ts(tmp_path / "Ramps_TEST.ts")
    assert find_test(train) == test and find_test(test) is None
