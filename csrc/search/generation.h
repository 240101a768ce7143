// Writing sequences with a step model: greedy, drawn, by beams.
#pragma once

#include <cstdint>
#include <vector>

#include "interrupt.h"
#include "search/step_model.h"

namespace unrolled::search {

enum class EarlyStopping : int { kHeuristic = 0, kFirst = 1, kNever = 2 };  // False, True, "never"

struct GenerationSettings {
  int64_t max_new_tokens, min_new_tokens;
  int64_t num_beams;             // 1: no beams
  int64_t num_return_sequences;  // of draws, or of the best hypotheses
  bool do_sample;
  double temperature;
  int64_t top_k;  // 0: all
  double top_p;
  double length_penalty;
  EarlyStopping early_stopping;
  bool early_termination;  // the other strategy: open and ended hypotheses in one beam
  int64_t no_repeat_ngram_size;
  double repetition_penalty;
  uint64_t seed;
  bool keep_beams;
  int32_t eos;  // -1: none

  int64_t most_rows() const { return num_beams > 1 ? num_beams : num_return_sequences; }  // of an item
  bool reads_history() const { return no_repeat_ngram_size > 0 || repetition_penalty != 1; }
};

// What each item is given, as ids one behind the other: those of item i lie in [offsets[i], offsets[i + 1]).
struct GenerationInputs {
  const int32_t* prompts;
  const int64_t* prompt_offsets;
  const int64_t* read;  // tokens of the prompt that are in the first state already, fewer than all
  const int32_t* prefixes;
  const int64_t* prefix_offsets;
  const bool* allowed;  // null: all; a row of V bools for an item and a place
  int64_t allowed_item_stride, allowed_place_stride;
  int64_t first_item;  // number of item 0 for draws
};

// A hypothesis that was kept, one token longer than its parent. The root, node 0, has neither.
struct TokenNode {
  int32_t parent, token;
  int32_t row;     // of all that were looked at, the one whose scores the token was picked by
  float log_prob;  // by the model
  double total;    // what is added up for the search
};

struct WrittenSequence {
  std::vector<int32_t> tokens;  // <eos> included where it came
  std::vector<float> log_probs, attention;
  double score;
  bool ended;
  int32_t node;
};

struct WrittenItem {
  std::vector<WrittenSequence> sequences;
  std::vector<TokenNode> tree;  // where beams are kept
};

// Items [first, end) side by side, so that one step serves the rows of all; states (items, state_size) are
// those of all items. Where the interrupt stops it, nothing is written. Throws std::invalid_argument.
void generate_block(const StepModel& model, const GenerationSettings& settings,
                    const GenerationInputs& inputs, const float* states, int64_t first, int64_t end,
                    WrittenItem* written, Interrupt& interrupt);

}  // namespace unrolled::search
