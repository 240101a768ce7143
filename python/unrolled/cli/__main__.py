"""``python -m unrolled.cli``."""

import sys

from unrolled.cli import main

sys.exit(main())
