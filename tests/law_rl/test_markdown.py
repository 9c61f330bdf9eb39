"""Pieces of Markdown: text stays text."""

import re

from hypothesis import given
from hypothesis import strategies as st

from law_rl.markdown import code, escaped, table


@given(st.text())
def test_escaped_text_is_one_line_and_reads_as_written(text: str) -> None:
    found = escaped(text)
    assert "\n" not in found and "\r" not in found
    assert re.sub(r"\\(.)", r"\1", found) == " ".join(text.split())
    assert not re.search(r"(?<!\\)(\\\\)*[|`*_<>\[\]]", found)


def test_a_table_and_a_block_of_code() -> None:
    assert table([("a|b", "c_d")]) == ["| | |", "|---|---|", r"| a\|b | c\_d |"]
    assert code("x = 1\ny = 2") == ["```python", "x = 1", "y = 2", "```"]
