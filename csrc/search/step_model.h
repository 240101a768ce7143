// A model that says, for many hypotheses at a time, how likely each token is to come next. What a search over
// it needs to know: language models and decoders of sequence to sequence models alike.
#pragma once

#include <cstdint>

namespace unrolled::search {

class StepModel {
 public:
  virtual ~StepModel() = default;

  virtual int64_t tokens() const = 0;      // of the vocabulary, V
  virtual int64_t items() const = 0;       // sequences that it was made to continue
  virtual int64_t state_size() const = 0;  // numbers in a hypothesis's state
  virtual int64_t attended() const = 0;    // positions of the longest memory, S; 0 if it attends to nothing
  virtual bool needs_python() const { return false; }

  // The state of each item before its first token, states (items, state_size).
  virtual void start(float* states) const = 0;

  // One step of `rows` hypotheses. tokens (rows) was written last, by a hypothesis of item items[i] whose
  // state is before (rows, state_size) -> after (rows, state_size); logits (rows, V), of any scale, of the
  // next token; attention (rows, S) over the item's memory, 0 beyond it, or null. The bits of a row depend on
  // that row alone. `before` and `after` may not overlap.
  virtual void step(int64_t rows, const int32_t* tokens, const int32_t* items, const float* before,
                    float* after, float* logits, float* attention) const = 0;
};

}  // namespace unrolled::search
