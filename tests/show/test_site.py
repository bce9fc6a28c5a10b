"""The site: a page a notebook, an index, links to the neighbours, and no link to nowhere."""

import json

import pytest

from spiral_lite.show import site


def notebook(folder, name, *cells):
    made = [{"cell_type": "markdown", "id": str(i), "metadata": {}, "source": text} for i, text in enumerate(cells)]
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")
    return path


@pytest.fixture
def three(tmp_path):
    return [
        notebook(tmp_path, "00_start", "# 00 · Start <here>\n\n**You will** begin & `end`.\n\n**Time** none"),
        notebook(tmp_path, "01_on", "# 01 · On\n\n## A part\n\n[back](00_start.ipynb), [part](#A-part)"),
        notebook(
            tmp_path, "02_end", "# 02 · End\n\n[there](01_on.ipynb#A-part), [out](https://arxiv.org/abs/2506.24119)"
        ),
    ]


def test_pages_link_to_their_neighbours(three, tmp_path):
    index, *pages = site.build(three, tmp_path / "site")
    assert [page.name for page in pages] == ["00_start.html", "01_on.html", "02_end.html"]
    text = index.read_text()
    assert "Start &lt;here&gt;" in text
    assert "<p>You will begin &amp; <code>end</code>.</p>" in text
    assert all(f'href="{page.name}"' in text for page in pages)
    middle = pages[1].read_text()
    assert middle.count(site.PAGE_STYLE) == 1
    assert middle.count('<a href="00_start.html">← 00</a>') == middle.count('<a href="02_end.html">02 →</a>') == 2
    assert '<a href="00_start.html">back</a>' in middle
    assert "02 →" not in pages[2].read_text()


@pytest.mark.parametrize("link", ["03_gone.ipynb", "01_on.ipynb#No-such-part", "#Nowhere", "../GONE.md"])
def test_a_link_to_nowhere_is_refused(three, tmp_path, link):
    three.append(notebook(tmp_path, "04_bad", f"# 04\n\n[x]({link})"))
    with pytest.raises(ValueError, match=r"links to nowhere: 04_bad\.html -> "):
        site.build(three, tmp_path / "site")


def test_buttons_open_the_notebook_of_a_repository(three, tmp_path):
    page = site.build(three, tmp_path / "site", "octocat/spiral_lite")[1].read_text()
    assert "mybinder.org/v2/gh/octocat/spiral_lite/HEAD?labpath=notebooks%2F00_start.ipynb" in page
    assert "colab.research.google.com/github/octocat/spiral_lite/blob/HEAD/notebooks/00_start.ipynb" in page
    assert "\n%cd kit/notebooks\n" in page, "a line of its own: what follows a ! goes to the shell"
    assert "mybinder" not in site.build(three, tmp_path / "plain")[1].read_text()
    with pytest.raises(ValueError, match="repository='octocat': give owner/name"):
        site.build(three, tmp_path / "site", "octocat")


def test_files_of_the_repository_come_along(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "GUIDE.md").write_text("# Guide")
    path = notebook(tmp_path / "notebooks", "00_a", "# 00\n\n[guide](../GUIDE.md)")
    site.build([path], tmp_path / "site")
    assert (tmp_path / "site/files/GUIDE.md").read_text() == "# Guide"


def test_the_course_makes_a_site(tmp_path):
    notebooks = sorted((site.ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    pages = site.build(notebooks, tmp_path)
    assert len(pages) == len(notebooks) + 1
    text = pages[1].read_text()
    assert 'alt="NashConv by self-play step' in text
    assert site.NO_TEXT not in text
