"""Is there somebody who can see a widget and click it?

A widget needs a front end: JupyterLab, VS Code, Colab. A notebook that papermill or nbconvert executes has none, and
neither has a script; there our widgets show a static figure and a storyboard instead.
"""

from __future__ import annotations

from typing import Any


def someone_is_there() -> bool:
    """Whether the cell that runs now was started by a person: only then does Jupyter let it ask for input.

    >>> someone_is_there()  # this is a test
    False
    """
    from IPython import get_ipython

    kernel: Any = getattr(get_ipython(), "kernel", None)
    return bool(getattr(kernel, "_allow_stdin", False))
