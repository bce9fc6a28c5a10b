"""`python -m spiral_lite.cli`, where the script `spiral-lite` is not on the path."""

import sys

from spiral_lite.cli import main

sys.exit(main())
