"""The course as a static HTML site: a page a notebook as it was executed, an index, previous and next links.

nbconvert makes the pages; what is ours is the index, the links, and a check of every link that stays on the site:
a notebook that is linked must be there, and so must the heading that is named. Formulas are drawn by MathJax, which a
browser fetches from the network. Widgets show the storyboard that they saved.

    make site                               # runs/site/index.html
    make site REPOSITORY=owner/spiral_lite  # with buttons for Binder and Colab, of the course on GitHub
"""

from __future__ import annotations

import argparse
import html
import re
import shutil
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from spiral_lite.show.notebooks import Notebook, aim, code_cells, read, title

ROOT = Path(__file__).resolve().parents[2]
TITLE = "spiral_lite: self-play reinforcement learning for language models"
STYLE = """body { font: 17px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
li { margin: .8rem 0 } li p { margin: 0 } a { color: #0072B2 }"""
PAGE_STYLE = """nav a, nav + p a { color: #0072B2; text-decoration: underline }
.jp-InputArea-editor .highlight { overflow-x: auto }"""  # long lines of code scroll on a narrow screen
NO_TEXT = 'alt="No description has been provided for this image"'  # nbconvert's
NAVIGATION = "padding:.6rem 1rem;font:16px/1.5 system-ui,sans-serif;display:flex;justify-content:space-between"


def build(notebooks: Sequence[Path], out: Path, repository: str = "") -> list[Path]:
    """Writes a page for each notebook, and index.html; returns the pages. Raises ValueError for a link to nowhere.

    repository: owner/name on GitHub, for buttons that open a notebook on Binder or Colab; none without.
    """
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_name="lab", embed_images=True)
    out.mkdir(parents=True, exist_ok=True)
    pages = [out / f"{path.stem}.html" for path in notebooks]
    for place, (path, page) in enumerate(zip(notebooks, pages, strict=True)):
        body, _ = exporter.from_filename(str(path))
        body = re.sub(r'(href="[^":]*)\.ipynb(#[^"]*)?"', r'\1.html\2"', body)
        body = _with_files(_with_texts(body, read(path)), path.parent.parent, out)
        links = navigation(place, pages)
        body = body.replace("</body>", f"{links}</body>")
        links += buttons(path.name, repository) if repository else ""
        opening = re.search(r"<body[^>]*>", body)
        assert opening, "nbconvert writes whole pages"
        head = body[: opening.start()].replace("</head>", f"<style>{PAGE_STYLE}</style></head>")
        body = head + opening[0] + links + body[opening.end() :]
        page.write_text(body, encoding="utf-8")
    index = out / "index.html"
    index.write_text(_index([read(path) for path in notebooks], pages), encoding="utf-8")
    broken = broken_links([index, *pages])
    if broken:
        raise ValueError("links to nowhere: " + "; ".join(broken))
    return [index, *pages]


def _with_texts(body: str, notebook: Notebook) -> str:
    """A page whose figures say in words what they show: nbconvert leaves out what the outputs' metadata say."""
    outputs = [output for cell in code_cells(notebook) for output in cell["outputs"]]
    texts = [output["metadata"].get("image/png", {}).get("alt", "") for output in outputs if _is_figure(output)]
    parts = body.split(NO_TEXT)
    if len(parts) != len(texts) + 1:
        raise ValueError(f"{len(parts) - 1} figures without a text on the page, {len(texts)} in its notebook")
    return parts[0] + "".join(f'alt="{html.escape(text)}"{part}' for text, part in zip(texts, parts[1:], strict=True))


def _is_figure(output: dict[str, Any]) -> bool:
    return "image/png" in output.get("data", {}) and "text/html" not in output["data"]


def _with_files(body: str, repository: Path, out: Path) -> str:
    """A page whose links to files of the repository lead to copies of them."""
    for name in set(re.findall(r'href="\.\./([^"#]+)"', body)):
        if (repository / name).is_file():
            copied = out / "files" / name
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(repository / name, copied)
            body = body.replace(f'href="../{name}"', f'href="files/{name}"')
    return body


def navigation(place: int, pages: Sequence[Path]) -> str:
    """Links to the page before, the index and the page after."""
    before = f'<a href="{pages[place - 1].name}">← {pages[place - 1].stem[:2]}</a>' if place else "<span></span>"
    after = (
        f'<a href="{pages[place + 1].name}">{pages[place + 1].stem[:2]} →</a>'
        if pages[place + 1 :]
        else "<span></span>"
    )
    return f'<nav style="{NAVIGATION}">{before}<a href="index.html">Contents</a>{after}</nav>'


def buttons(name: str, repository: str) -> str:
    """Links that open a notebook where it runs: Binder reads environment.yml, Colab needs the lines that are shown."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise ValueError(f"repository={repository!r}: give owner/name, e.g. octocat/spiral_lite")
    binder = f"https://mybinder.org/v2/gh/{repository}/HEAD?labpath=notebooks%2F{name}"
    colab = f"https://colab.research.google.com/github/{repository}/blob/HEAD/notebooks/{name}"
    first = f"!git clone -q https://github.com/{repository} kit && pip install -q -e ./kit[course,exact,lora]"
    lines = f'{first}\n%cd kit/notebooks\nimport sys; sys.path.insert(0, "..")'  # a kernel that runs sees no new -e
    return (
        f'<p style="{NAVIGATION}"><a href="{binder}">Open on Binder</a><a href="{colab}">Open in Colab</a></p>'
        f'<p style="padding:0 1rem;font:14px/1.5 system-ui,sans-serif">In Colab, in a first cell:</p>'
        f'<pre style="padding:0 1rem;white-space:pre-wrap">{html.escape(lines, quote=False)}</pre>'
    )


def _index(notebooks: Sequence[Notebook], pages: Sequence[Path]) -> str:
    from nbconvert.filters import markdown2html

    rows = [
        f'<li><a href="{page.name}">{html.escape(title(notebook))}</a>{markdown2html("You will " + aim(notebook))}</li>'
        for notebook, page in zip(notebooks, pages, strict=True)
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{TITLE}</title>'
    return (
        f'<!DOCTYPE html><html lang="en"><head>{head}<style>{STYLE}</style></head>'
        f'<body><h1>{TITLE}</h1><ul style="list-style:none;padding:0">{"".join(rows)}</ul></body></html>\n'
    )


class _Links(HTMLParser):
    """The links and the names of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.names |= {name for name in (found.get("id"), found.get("name")) if name}
        target = found.get("href") if tag in ("a", "link") else found.get("src")
        if target:
            self.links.append(target)


def broken_links(pages: Sequence[Path]) -> list[str]:
    """Links of the pages to a file that is not there, or to a name that the page has not."""
    read_pages = {}
    for page in pages:
        parser = _Links()
        parser.feed(page.read_text(encoding="utf-8"))
        read_pages[page.resolve()] = parser
    broken = []
    for page, parser in read_pages.items():
        for link in parser.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue  # elsewhere, or data
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            names = read_pages[target].names if target in read_pages else set()
            named = not parts.fragment or {parts.fragment, unquote(parts.fragment)} & names
            if not target.exists() or not named:
                broken.append(f"{page.name} -> {link}")
    return broken


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m spiral_lite.show.site", description="The course as HTML.")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "site")
    parser.add_argument("--repository", default="", help="owner/name on GitHub, for buttons for Binder and Colab")
    options = parser.parse_args()
    pages = build(sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")), options.out, options.repository)
    print(f"{len(pages)} pages, no link to nowhere: {options.out / 'index.html'}")


if __name__ == "__main__":
    main()
