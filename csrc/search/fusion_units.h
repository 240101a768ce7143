// How a text falls into the units of a language model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "search/fusion_language.h"

namespace unrolled::search {

// Of one run.
class UnitReader {
 public:
  virtual ~UnitReader() = default;
  // Pairs of a state that have the same key complete the same units; kNothing where they complete none.
  virtual int32_t key(uint32_t state, int32_t token) const = 0;
  virtual void read(uint32_t state, int32_t token, std::vector<std::string>& units) = 0;
  virtual void read_end(uint32_t state, std::vector<std::string>& units) = 0;

  static constexpr int32_t kNothing = -1, kEnding = -2;
};

// What the readers of all runs share.
class UnitSplitter {
 public:
  virtual ~UnitSplitter() = default;
  virtual std::unique_ptr<UnitReader> reader(const PrefixTokens& prefixes) const = 0;
  virtual int64_t most_units(int32_t token) const = 0;
};

// Words, each complete at its end.
std::unique_ptr<const UnitSplitter> split_words(FusionLabels labels);
// What the labels write.
std::unique_ptr<const UnitSplitter> split_labels(LabelUnits labels);

}  // namespace unrolled::search
