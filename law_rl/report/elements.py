"""What the sections of a report are made of, as HTML with every text escaped."""

from html import escape

from law_rl.report.plots import Draw, render


def section(title: str, content: str) -> str:
    """A section with a heading; `content` is HTML."""
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>"


def note(text: str) -> str:
    """A paragraph in small print."""
    return f'<p class="note">{escape(text)}</p>'


def meanings(clauses: dict[str, str]) -> str:
    """A list of names, each with what it means."""
    items = "".join(f"<li><b>{escape(name)}</b>: {escape(clause)}</li>" for name, clause in clauses.items())
    return f'\n<ul class="note">{items}</ul>'


def figure(draw: Draw, height: float, *, name: str, alt: str, caption: str) -> str:
    """A plot `height` inches high with a caption; `alt` says what it shows to those who do not see it."""
    svg = render(draw, height, name=name)
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)
    return f"<figure>\n{svg}<figcaption>{escape(caption)}</figcaption>\n</figure>"
