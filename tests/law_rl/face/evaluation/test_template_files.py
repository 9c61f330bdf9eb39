"""The text files of template protocols, sound and damaged."""

from pathlib import Path

import pytest

from law_rl.face.evaluation.template_files import read_template_list, read_template_pairs


def write(folder: Path, text: str) -> Path:
    path = folder / "protocol.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_images_with_their_templates_and_media(tmp_path: Path) -> None:
    listed = read_template_list(write(tmp_path, '1.jpg 1 69544\nNA 1\t 7\n\n"é.jpg 18446744073 -5\n'))
    assert listed.images == ("1.jpg", "NA", '"é.jpg')
    assert listed.templates.tolist() == [1, 1, 18446744073]
    assert listed.media.tolist() == [69544, 7, -5]


def test_pairs_with_their_labels(tmp_path: Path) -> None:
    pairs = read_template_pairs(write(tmp_path, "1 11065 1\n1 11066 0"))
    assert pairs.pairs.tolist() == [[1, 11065], [1, 11066]]
    assert pairs.same.tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 2 1\n1 2\n", "line 2 has 2 words"),
        ("1 2\n1 2\n", "line 1 has 2 words"),
        ("1 2 1 0\n", "line 1 has 4 words"),
        ("1 2 1 0\n1 2 1\n", "line 1 has 4 words"),
        ("1 2 1\n\n1 2 1 0\n", "line 3 has 4 words"),
        ("1 2 1\n1 x 1\n", "line 2 has 'x' for an integer"),
        ("1 2 1\n1 2.5 1\n", "line 2 has '2.5' for an integer"),
        ("1 2 1\n1 99999999999999999999 1\n", "line 2 has '99999999999999999999' for an integer"),
        ("", "No columns"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, reason: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=reason) as error:
        read_template_pairs(path)
    assert str(path) in str(error.value) and "each line must be TEMPLATE TEMPLATE LABEL" in str(error.value)


def test_a_wrong_line_of_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"line 2 has 4 words\): each line must be IMAGE TEMPLATE MEDIUM"):
        read_template_list(write(tmp_path, "a.jpg 1 2\na b.jpg 1 2\n"))
    with pytest.raises(ValueError, match="cannot be read"):
        path = tmp_path / "bytes.txt"
        path.write_bytes(b"\xff\xfe\x00\x01 1 2\n")
        read_template_list(path)


def test_a_label_that_is_neither_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has the label 2 in line 3: write 1 for one person, 0 for two"):
        read_template_pairs(write(tmp_path, "1 2 1\n\n1 2 2\n"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent.txt does not exist: unpack"):
        read_template_list(tmp_path / "absent.txt")
