// Ctrl-C in the middle of long work.
#pragma once

#include "bindings/arrays.h"

namespace unrolled {

// Signals are Python's business: its handlers run here, and what they raise ends the work.
inline void check_signals() {
  const py::gil_scoped_acquire acquire;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

}  // namespace unrolled
