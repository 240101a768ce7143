import math

import pytest

from unrolled.training import History

ROWS = [
    {"epoch": 1, "step": 10, "train_loss": 0.1 + 0.2, "learning_rate": 1e-3},
    {"epoch": 2, "step": 20, "train_loss": 3.0, "learning_rate": 1e-30, "valid_loss": math.inf},
]


def test_csv_gives_the_same_numbers(tmp_path):
    History(ROWS).to_csv(tmp_path / "runs" / "history.csv")
    found = History.from_csv(tmp_path / "runs" / "history.csv")
    assert found.rows == ROWS
    assert [type(value) for value in found.rows[1].values()] == [int, int, float, float, float]


def test_csv_is_plain(tmp_path):
    History(ROWS[:1]).to_csv(tmp_path / "history.csv")
    assert (tmp_path / "history.csv").read_bytes() == (
        b"epoch,step,train_loss,learning_rate\n1,10,0.30000000000000004,0.001\n"
    )


def test_no_rows(tmp_path):
    History().to_csv(tmp_path / "history.csv")
    assert len(History.from_csv(tmp_path / "history.csv")) == 0
    (tmp_path / "history.csv").write_bytes(b"")
    assert len(History.from_csv(tmp_path / "history.csv")) == 0
    assert repr(History()) == "History(0 epochs)"


def test_columns():
    history = History(ROWS)
    assert history.columns == ["epoch", "step", "train_loss", "learning_rate", "valid_loss"]
    assert history.column("epoch") == [1, 2]
    assert history.column("valid_loss") == [None, math.inf]
    with pytest.raises(KeyError, match=r"'loss'.*train_loss, learning_rate"):
        history.column("loss")


def test_files_of_spreadsheets_are_read(tmp_path):
    """A byte-order mark, CRLF and quotes."""
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbf"epoch","loss"\r\n1,"0.5"\r\n')
    assert History.from_csv(tmp_path / "a.csv").rows == [{"epoch": 1, "loss": 0.5}]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("epoch,loss\n1,0.5\n2\n", r"line 3: 1 values for 2 columns"),
        ("epoch,loss\n1,0.5,3\n", r"line 2: 3 values for 2 columns"),
        ("epoch,loss\n1,much\n", r"line 2: .*'much'"),
    ],
)
def test_faults_name_file_and_line(tmp_path, text, fault):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=fault) as caught:
        History.from_csv(path)
    assert str(path) in str(caught.value)
