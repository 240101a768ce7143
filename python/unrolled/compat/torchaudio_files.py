"""Files of tokens, words and spellings as flashlight writes them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from unrolled.data.labels import DataError, text_lines
