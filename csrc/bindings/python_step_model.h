// A model written in Python that says how likely each token is to come next.
#pragma once

#include "bindings/arrays.h"
#include "search/step_model.h"

namespace unrolled {

struct StepModelSizes {
  int64_t tokens, items, state_size, attended;
};

// `start` gives the states (items, state_size), or is them; `step(tokens, items, states)` of int32 (rows),
// int32 (rows) and float32 (rows, state_size) gives the states after and logits (rows, tokens), and attention
// (rows, attended) where that is not 0.
class PythonStepModel final : public search::StepModel {
 public:
  PythonStepModel(StepModelSizes sizes, py::object start, py::object step);

  int64_t tokens() const override { return sizes_.tokens; }
  int64_t items() const override { return sizes_.items; }
  int64_t state_size() const override { return sizes_.state_size; }
  int64_t attended() const override { return sizes_.attended; }
  bool needs_python() const override { return true; }

  void start(float* states) const override;
  void step(int64_t rows, const int32_t* tokens, const int32_t* items, const float* before, float* after,
            float* logits, float* attention) const override;

 private:
  StepModelSizes sizes_;
  py::object start_, step_;
};

}  // namespace unrolled
