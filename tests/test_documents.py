"""Every Python block of the README and of the documentation runs, as a reader would paste it, and says what the page says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from triptych.runs import claims

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs").glob("tutorials/*.md"))]
BLOCK = re.compile(r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?", flags=re.DOTALL)


#: Long HMC runs end elsewhere where a processor rounds otherwise; there the words and the layout must agree, not the digits.
ROUNDING_DECIDES = ("halos_network.md", "lattice.md", "lattice_trained.md")


def comparable(text, page):
    lines = [" ".join(line.split()) for line in text.strip().splitlines()]
    return [re.sub(r"[-+]?\d[\d.()e+-]*", "#", line) for line in lines] if page.name in ROUNDING_DECIDES else lines


def blocks(page):
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def test_the_readme_shows_the_two_commands_and_an_example_for_each_panel():
    text = README.read_text(encoding="utf-8")
    assert "make tour" in text
    assert "make test" in text
    assert len(blocks(README)) >= 3


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.name)
def test_the_code_runs_and_prints_what_the_page_shows(page, tmp_path):
    """All blocks of a page run in order in one process; a ``text`` block behind one is its output to the letter."""
    mark = "print('=' * 20 + 'next block')\n"
    program = "".join(code + mark for code, _ in blocks(page))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.split("=" * 20 + "next block\n")
    for (code, shown), output in zip(blocks(page), printed[:-1], strict=True):
        assert "print(" not in code or output.strip(), code
        if shown:
            assert comparable(output, page) == comparable(shown, page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_local_links_and_pictures_exist(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_readme_counts_the_claims_as_they_are_recorded():
    text = README.read_text(encoding="utf-8")
    for key in claims.papers():
        counted = ", ".join(f"{number} {word}" for word, number in claims.counts(claims.claims(key, runs=None)).items())
        assert f"`{key}`: {counted}" in text, f"`{key}`: {counted}"
