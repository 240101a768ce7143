"""What tests of checkpoints share: a document, and what is asked of files and of refusals."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.checkpoint import CheckpointError, load_tensors

META = {"step": 7, "rows": [{"loss": 0.1, "name": "été ✓\n"}], "best": None, "on": True}


def assert_equal_arrays(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].shape == array.shape
        assert found[name].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found[name], array)


def assert_refused(path, fault, load=load_tensors):
    """The error is one line that names file and fault and has something to do after it."""
    with pytest.raises(CheckpointError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    assert fault in message, message
    assert message.rpartition("; ")[2]
