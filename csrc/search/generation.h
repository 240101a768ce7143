// Writing sequences with a step model: greedy, drawn, by beams.
#pragma once

#include "search/step_model.h"
