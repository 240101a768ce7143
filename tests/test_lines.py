"""Labels files and folders of line images: what is accepted, and what each fault is called."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest

from unrolled.data.labels import DataError, read_charset, read_labels
from unrolled.data.lines import (
    LineSet,
    find_image,
    load_lines,
    unlabelled_images,
)

Image = pytest.importorskip("PIL.Image", reason="needs Pillow (unrolled[images])")


def write_image(path, height=20, width=60):
    x = np.full((height, width), 230, np.uint8)
    x[4:-4, 5:-5:8] = 20
    Image.fromarray(x).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        write_image(images / name)
    return images


def labels_file(tmp_path, content):
    path = tmp_path / "labels.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def faults(function, *arguments, **options):
    with pytest.raises(DataError) as caught:
        function(*arguments, **options)
    return caught.value.problems


# --- labels files ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "a.png\tone\nb.png\ttwo\n",
        "a.png\tone\nb.png\ttwo",
        "a.png\tone\r\nb.png\ttwo\r\n",
        "\ufeffa.png\tone\n\n  \nb.png\ttwo\n\n",
        " a.png \t one \nb.png\ttwo  \n",
    ],
)
def test_accepted_forms_of_labels(tmp_path, content):
    labels = read_labels(labels_file(tmp_path, content))
    assert [(label.name, label.text) for label in labels] == [("a.png", "one"), ("b.png", "two")]
    assert labels[0].source.endswith("labels.tsv:1")


def test_texts_are_composed_and_inner_spaces_kept(tmp_path):
    decomposed = unicodedata.normalize("NFD", "né à  l'île")
    (label,) = read_labels(labels_file(tmp_path, f"a.png\t{decomposed}\n"))
    assert label.text == "né à  l'île"


def test_line_separators_inside_a_text_do_not_end_the_line(tmp_path):
    problems = faults(read_labels, labels_file(tmp_path, "a.png\tx\u2028y\nb.png\tx\x0by\n"))
    assert [re.search(r"U\+\w+", p)[0] for p in problems] == ["U+2028", "U+000B"]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("a.png\tone\nb.png two\n", 2, "no tab; write name<TAB>text"),
        ("a.png\t\n", 1, "empty label for a.png"),
        ("a.png\t  \n", 1, "empty label for a.png"),
        ("\tone\n", 1, "empty name"),
        ("a.png\tone\ttwo\n", 1, "more than one tab"),
        ("a.png\tone\nb.png\ttwo\na.png\tone\n", 3, "a.png again, first in .*labels.tsv:1"),
        ("a.png\tone\rb.png\ttwo\n", 1, "more than one tab"),
        ("a.png\tone\x07\n", 1, r"control character '\\x07' \(U\+0007\)"),
        (b"a.png\tone\nb.png\t\xe9t\xe9\n", 2, r"not UTF-8 at byte 16 of the file \(0xe9\)"),
    ],
)
def test_each_fault_of_a_label_names_its_line(tmp_path, content, line, message):
    (problem,) = faults(read_labels, labels_file(tmp_path, content))
    assert f"labels.tsv:{line}: " in problem and re.search(message, problem)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no line"),
        (b"\n\r\n", "has no line"),
        (b"\xef\xbb\xbf", "has no line"),
        ("a.png\tone\n".encode("utf-16"), "UTF-16, not UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not a text file"),
    ],
)
def test_files_that_are_no_labels(tmp_path, content, message):
    (problem,) = faults(read_labels, labels_file(tmp_path, content))
    assert message in problem


def test_missing_labels_file_and_folder(tmp_path):
    assert "no such file" in faults(read_labels, tmp_path / "none.tsv")[0]
    assert "is a folder" in faults(read_labels, tmp_path)[0]


def test_all_faults_come_together_and_ten_are_shown(tmp_path):
    content = "".join(f"a{i}.png\n" for i in range(25))
    with pytest.raises(DataError) as caught:
        read_labels(labels_file(tmp_path, content))
    lines = str(caught.value).splitlines()
    assert len(caught.value.problems) == 25 and len(lines) == 12
    assert lines[0].startswith("25 problems") and lines[-1].strip() == "... and 15 more"


def test_charset_files(tmp_path):
    assert read_charset(labels_file(tmp_path, "\ufeffa\r\nb\r\n \r\né\r\n")) == "ab é"
    assert read_charset(labels_file(tmp_path, "0123456789\n")) == "0123456789"
    assert "'a' (U+0061) again" in faults(read_charset, labels_file(tmp_path, "a\nb\na\n"))[0]
    assert "has no character" in faults(read_charset, labels_file(tmp_path, "\n"))[0]
    assert "no such file" in faults(read_charset, tmp_path / "none")[0]


# --- folders of images -----------------------------------------------------------------------


def test_lines_are_loaded_at_the_height(folder, tmp_path):
    write_image(folder / "b.png", height=40, width=90)
    labels = labels_file(tmp_path, "b.png\ttwo\na.png\tone\n")
    lines = load_lines(folder, labels, 20)
    assert lines.names == ["b.png", "a.png"] and lines.texts == ["two", "one"]
    assert [x.shape for x in lines.images] == [(20, 45), (20, 60)]
    assert all(x.dtype == np.uint8 for x in lines.images) and len(lines) == 2
    assert unlabelled_images(folder, lines.names) == ["c.png"]


def test_every_fault_of_every_line_is_reported(folder, tmp_path):
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:60])
    (folder / "text.png").write_text("no image")
    (folder / "empty.png").touch()
    (folder / "folder.png").mkdir()
    write_image(folder / "strip.png", 1, 5000)
    labels = labels_file(
        tmp_path,
        "a.png\t123\nnone.png\t1\ncut.png\t1\ntext.png\t1\nempty.png\t1\nfolder.png\t1\n"
        "strip.png\t1\nb.png\t12345678\nc\t1\nimages/c.png\t1\nc.png\t\n",
    )
    problems = faults(load_lines, folder, labels, 20, frames=lambda width: width // 8)
    expected = {
        2: "no image .*none.png; correct the name or drop the line",
        3: "cut.png: damaged or cut short",
        4: "text.png: not an image that can be read",
        5: "empty.png: empty file",
        6: "no image .*folder.png",
        7: "strip.png: .*cut it into shorter lines",
        8: "b.png: label too long .* 8 characters need 8 frames, 60 x 20 pixels give 7 at height "
        "20; a height of 36 is enough, or drop",
        9: r"no image .*c \(c.png is there\)",
        10: r"no image .*images/c.png \(c.png is there\)",
        11: "empty label for c.png",
    }
    found = {int(re.search(r"labels\.tsv:(\d+): ", p)[1]): p for p in problems}
    assert sorted(found) == sorted(expected)
    for line, message in expected.items():
        assert re.search(message, found[line]), found[line]
    assert not any("\n" in problem for problem in problems)


def test_faults_can_be_gathered_while_the_good_lines_are_kept(folder, tmp_path):
    labels = labels_file(tmp_path, "a.png\t1\nnone.png\t2\nb.png\t\n")
    problems = []
    lines = load_lines(folder, labels, 20, problems=problems)
    assert lines.names == ["a.png"] and len(problems) == 2


def test_repeats_need_a_frame_more(folder, tmp_path):
    labels = labels_file(tmp_path, "a.png\t1223\nb.png\t1234\n")
    (problem,) = faults(load_lines, folder, labels, 20, frames=lambda width: 4)
    assert "labels.tsv:1: " in problem and "4 characters and 1 repeats need 5 frames" in problem
    assert "drop the line" in problem and "a height of" not in problem


def test_characters_outside_the_charset_are_named(folder, tmp_path):
    labels = labels_file(tmp_path, "a.png\t12\nb.png\t1xé\n")
    (problem,) = faults(load_lines, folder, labels, 20, charset="123")
    assert "labels.tsv:2: 'x' (U+0078), 'é' (U+00E9) not among the characters given" in problem


def test_a_wrong_folder_is_one_fault(folder, tmp_path):
    labels = labels_file(tmp_path, "".join(f"x{i}.png\t1\n" for i in range(50)))
    (problem,) = faults(load_lines, folder, labels, 20)
    assert "holds none of the 50 images" in problem
    (problem,) = faults(load_lines, tmp_path / "none", labels, 20)
    assert "no such folder" in problem
    (problem,) = faults(load_lines, labels, labels, 20)
    assert "is a file" in problem


def test_accents_in_names_may_be_composed_or_not(tmp_path):
    composed = "é.png"
    decomposed = unicodedata.normalize("NFD", composed)
    write_image(tmp_path / decomposed)
    assert find_image(tmp_path, composed) == tmp_path / decomposed
    assert unlabelled_images(tmp_path, [composed]) == []
    assert find_image(tmp_path, "x.png") is None


# --- the split -------------------------------------------------------------------------------


def numbered(count):
    lines = LineSet()
    for i in range(count):
        lines.images.append(np.full((2, 2), i, np.uint8))
        for column in (lines.texts, lines.names, lines.sources):
            column.append(str(i))
    return lines


def test_split_is_complete_and_repeats_for_a_seed():
    lines = numbered(40)
    train, valid = lines.split(0.25, seed=3)
    assert len(train) == 30 and len(valid) == 10
    assert sorted(train.texts + valid.texts, key=int) == lines.texts
    assert valid.texts == lines.split(0.25, seed=3)[1].texts != lines.split(0.25, seed=4)[1].texts
    assert all(x[0, 0] == int(t) for x, t in zip(train.images, train.texts, strict=True))


def test_split_keeps_at_least_one_line_on_each_side():
    assert [len(part) for part in numbered(2).split(0.01)] == [1, 1]
    for count, fraction in ((1, 0.5), (0, 0.5), (3, 0.9)):
        with pytest.raises(ValueError, match=r"line\(s\) cannot be split"):
            numbered(count).split(fraction)
    for fraction in (0, 1, -0.1, 7, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            numbered(9).split(fraction)
