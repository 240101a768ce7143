// Any language model as a part of a fusion, asked in batches.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "search/fusion_language.h"

namespace unrolled::search {

struct UnitQuery {
  uint32_t state;
  std::string unit;
  double log_probability = 0;  // what the model answers: natural logarithms
  uint32_t next = 0;
};

// A model and the states that one run has met, by number.
class UnitModel {
 public:
  virtual ~UnitModel() = default;
  virtual uint32_t start() = 0;
  virtual void score(std::vector<UnitQuery>& queries) = 0;
  virtual std::vector<double> finish(std::span<const uint32_t> states) = 0;
  // State i is now what kept[i] was; `kept` rises.
  virtual void retain(std::span<const uint32_t> kept) = 0;
};

class UnitModelSource {
 public:
  virtual ~UnitModelSource() = default;
  virtual std::unique_ptr<UnitModel> run() const = 0;
  // No log probability is above it.
  virtual double upper_bound() const = 0;
  virtual bool needs_python() const { return false; }
};

// weights.unknown is not used: the model has its own way with units that it does not know.
std::shared_ptr<FusionSource> make_word_model(FusionLabels labels,
                                              std::shared_ptr<const UnitModelSource> model,
                                              LanguageWeights weights);
std::shared_ptr<FusionSource> make_label_model(LabelUnits units, std::shared_ptr<const UnitModelSource> model,
                                               LanguageWeights weights);

}  // namespace unrolled::search
