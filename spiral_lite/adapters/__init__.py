"""Our games in other libraries' interfaces, and theirs in ours. OpenSpiel's is in `evaluation/exact.py`."""
