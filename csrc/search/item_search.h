// The search for one item: which hypotheses go on, and what becomes of them when the model has spoken.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "search/generation.h"
#include "search/token_rules.h"

namespace unrolled::search {

// A row of the next step: what was written last, and which row of the step before has its state.
struct OpenRow {
  int32_t node, token, from;  // from -1: the item's first state
};

// What a model says about the rows of an item. Behind each array there is room for a whole vector.
struct StepScores {
  int64_t S;               // of a row of attention
  float* logits;           // (rows, V), may be overwritten
  const float* attention;  // (rows, S), or null
  float* log_probs;        // (rows, V), room for them
  float* ruled;            // (rows, V), room for what rules make of them
};

class ItemSearch {
 public:
  virtual ~ItemSearch() = default;

  // None where the search is over.
  const std::vector<OpenRow>& rows() const { return rows_; }
  void take(const StepScores& scores);
  WrittenItem written(int64_t S) const;

 protected:
  // A sequence that is returned: its node, and what it is ranked by.
  struct Ranked {
    double score;
    int32_t node;
  };

  ItemSearch(const GenerationSettings& settings, const GenerationInputs& inputs, int64_t item, int64_t V);

  // Log probabilities of all rows are known: say which hypotheses go on.
  virtual void advance(const StepScores& scores) = 0;
  // The last token has been picked; what is in rows() stays open.
  virtual void close() = 0;
  virtual std::vector<Ranked> ranked() const = 0;

  // The hypothesis of a row with one token more, as a node.
  int32_t extend(int64_t row, int32_t token, float log_prob, double total);
  void go_on(int32_t node, int32_t row) { next_.push_back({node, token(node), row}); }
  // The search is over, whatever goes on.
  void drop_open() { next_.clear(); }
  void apply_rules(int64_t row, float* scores);
  // A row's log probabilities after the rules, which may be changed.
  float* ruled(int64_t row, const StepScores& scores);

  // Of a hypothesis of so many tokens.
  double score(double total, int64_t length) const;
  int32_t token(int32_t node) const { return nodes_[index(node)].token; }
  double total(int32_t node) const { return nodes_[index(node)].total; }
  int64_t depth(int32_t node) const { return static_cast<int64_t>(way_to(node).size()); }
  bool has_ended(int32_t node) const { return node > 0 && token(node) == settings_.eos; }
  [[noreturn]] void complain(const std::string& what) const;
  [[noreturn]] void complain_of_nothing() const;
  static std::size_t index(int64_t i) { return static_cast<std::size_t>(i); }

  const GenerationSettings& settings_;
  const GenerationInputs& inputs_;
  const int64_t item_, V_;
  int64_t place_ = 0;  // of the token that is picked now

 private:
  bool read_on();
  void look(const StepScores& scores);
  void force(int32_t token, const StepScores& scores);
  std::vector<int32_t> way_to(int32_t node) const;
  WrittenSequence sequence(const Ranked& ranked, int64_t S) const;

  TokenRules rules_;
  int64_t reading_;    // what the model reads next, in inputs_.prompts
  int64_t looks_ = 0;  // rows before those of this step
  std::vector<OpenRow> rows_, next_;
  std::vector<TokenNode> nodes_;
  std::vector<float> attention_;  // of all rows (looks, S)
  std::vector<int32_t> history_;
};

std::unique_ptr<ItemSearch> make_item_search(const GenerationSettings& settings,
                                             const GenerationInputs& inputs, int64_t item, int64_t V);

}  // namespace unrolled::search
