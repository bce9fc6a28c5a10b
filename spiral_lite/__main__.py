"""`python -m spiral_lite` is the command line, in the form that `accelerate launch -m` takes."""

import sys

from spiral_lite.cli import main

sys.exit(main())
