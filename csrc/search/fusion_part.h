// The parts of a fusion: a language model, a lexicon, hotwords. Each keeps what it needs of every state; the
// states themselves, a prefix each, are numbered by the run that holds the parts.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "search/fusion.h"
#include "search/sequences.h"

namespace unrolled::search {

inline constexpr double kForbidden = -std::numeric_limits<double>::infinity();

// What the classes write.
struct FusionLabels {
  std::vector<std::string> texts;    // within a word; empty for the blank, the delimiter and special classes
  std::vector<uint8_t> starts_word;  // the word before ends, and one begins with the label
  std::vector<uint8_t> ends_word;    // the word is complete with the label, or before it where it has no text
  int64_t classes() const { return static_cast<int64_t>(texts.size()); }
};

// The states as prefixes: parents have smaller numbers than their children, 0 is the empty prefix.
struct PrefixTokens {
  std::vector<uint32_t> parents;
  std::vector<int32_t> tokens;

  std::vector<int32_t> read(uint32_t state) const;
};

class FusionPart {
 public:
  virtual ~FusionPart() = default;

  virtual void start() = 0;
  // Adds to log_weights; pairs that are forbidden already stay so.
  virtual void add_weights(std::span<const uint32_t> states, std::span<const int32_t> tokens,
                           double* log_weights) = 0;
  // The next state, `parent` and `token`.
  virtual void advance(uint32_t parent, int32_t token) = 0;
  virtual void add_ends(std::span<const uint32_t> states, double* log_weights) = 0;
  virtual double open_credit(uint32_t) const { return 0; }
  virtual void add_scores(uint32_t state, bool finished, FusionScores& scores) const = 0;
  // State i is now what kept[i] was; `kept` rises.
  virtual void retain(std::span<const uint32_t> kept) = 0;
};

// What the parts of all runs share; immutable.
class FusionSource {
 public:
  virtual ~FusionSource() = default;
  virtual std::unique_ptr<FusionPart> part(const PrefixTokens& prefixes) const = 0;
  virtual double upper_bound(int32_t token) const = 0;
  virtual bool weighs(int32_t token) const = 0;
  virtual bool needs_python() const { return false; }
  virtual bool gives_credit() const { return false; }
};

// Moves each kept element to its new place.
template <class T>
void keep(std::vector<T>& of_states, std::span<const uint32_t> kept) {
  for (std::size_t i = 0; i < kept.size(); ++i) of_states[i] = std::move(of_states[kept[i]]);
  of_states.erase(of_states.begin() + static_cast<std::ptrdiff_t>(kept.size()), of_states.end());
}

std::shared_ptr<Fusion> combine(int64_t classes, std::vector<std::shared_ptr<const FusionSource>> sources);

}  // namespace unrolled::search
