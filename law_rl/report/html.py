"""The report of a run: one HTML file with everything in it, no scripts and nothing to fetch."""

from html import escape
from pathlib import Path
from string import Template

from law_rl.files import write_atomic
from law_rl.report.outcome import outcome
from law_rl.report.run_directory import read_run
from law_rl.report.sections import sections

PAGE = Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
<h1>$title</h1>
<p class="outcome">$outcome</p>
$body
</main>
</body>
</html>
""")
STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --quiet: #5b6672; --line: #d5dae0; --page: #fbfbfa; --mark: #e8f0f9 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --quiet: #a5afba; --line: #3a424c; --page: #171a1e; --mark: #1d3046 }
}
body { margin: 0; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif }
main { max-width: 54rem; margin: 0 auto; padding: 2rem 1.25rem 4rem }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem }
h2 { font-size: 1.15rem; margin: 2.75rem 0 .75rem }
.outcome { font-size: 1.15rem; margin: 0 }
figure { margin: 0 }
figure svg { display: block; box-sizing: border-box; width: 100%; height: auto; padding: .75rem;
  background: #fff; border: 1px solid var(--line); border-radius: 6px }
figure svg * { stroke-linejoin: round; stroke-linecap: butt }
figure svg text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif !important }
figcaption, .note { color: var(--quiet); font-size: .92rem; margin: .6rem 0 0 }
.table { overflow-x: auto }
.table + .table { margin-top: 1.5rem }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; min-width: 100% }
th, td { padding: .35rem .7rem; text-align: right; border-bottom: 1px solid var(--line) }
th:first-child { text-align: left }
td { white-space: nowrap }
tbody th { font-weight: normal }
.marked > * { background: var(--mark); font-weight: 600 }
details { margin-top: 2.75rem }
summary { cursor: pointer; font-weight: 600 }
pre { overflow-x: auto; font-size: .82rem; line-height: 1.4; padding: .8rem; border: 1px solid var(--line) }
"""


def write_report(directory: Path) -> Path:
    """Writes report.html into a run directory from the run's files; same files, same bytes.

    Raises FileNotFoundError or ScheduleError, one sentence, where the directory is not that of a run with a schedule.
    """
    run = read_run(directory)
    body = "\n".join(sections(run))
    page = PAGE.substitute(title=escape(run.name), style=STYLE, outcome=escape(outcome(run)), body=body)
    target = directory / "report.html"
    write_atomic(target, page.encode())
    return target
