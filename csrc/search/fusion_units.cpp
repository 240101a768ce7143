#include "search/fusion_units.h"

#include "search/fusion_words.h"

namespace unrolled::search {
namespace {

class WordUnitReader final : public UnitReader {
 public:
  WordUnitReader(const FusionLabels& labels, const std::vector<WordEdge>& edges, const PrefixTokens& prefixes)
      : edges_(edges), words_(labels, prefixes) {}

  int32_t key(uint32_t, int32_t token) const override {
    const WordEdge edge = edges_[static_cast<std::size_t>(token)];
    return edge == WordEdge::kInside ? kNothing : edge == WordEdge::kAfter ? kEnding : token;
  }
  void read(uint32_t state, int32_t token, std::vector<std::string>& units) override {
    words_.visit_ended(state, token, [&](const std::string& word) { units.push_back(word); });
  }
  void read_end(uint32_t state, std::vector<std::string>& units) override {
    std::string word;
    words_.read(state, word);
    if (!word.empty()) units.push_back(std::move(word));
  }

 private:
  const std::vector<WordEdge>& edges_;
  WordReader words_;
};

class WordSplitter final : public UnitSplitter {
 public:
  explicit WordSplitter(FusionLabels labels) : labels_(std::move(labels)) {
    for (int32_t c = 0; c < labels_.classes(); ++c) edges_.push_back(WordReader::edge(labels_, c));
  }
  std::unique_ptr<UnitReader> reader(const PrefixTokens& prefixes) const override {
    return std::make_unique<WordUnitReader>(labels_, edges_, prefixes);
  }
  int64_t most_units(int32_t token) const override {
    return static_cast<int64_t>(edges_[static_cast<std::size_t>(token)]);
  }

 private:
  FusionLabels labels_;
  std::vector<WordEdge> edges_;
};

class LabelUnitReader final : public UnitReader {
 public:
  explicit LabelUnitReader(const LabelUnits& labels) : labels_(labels) {}

  int32_t key(uint32_t state, int32_t token) const override {
    return labels_.of(state, token).empty() ? kNothing : token;
  }
  void read(uint32_t state, int32_t token, std::vector<std::string>& units) override {
    const auto of_pair = labels_.of(state, token);
    units.assign(of_pair.begin(), of_pair.end());
  }
  void read_end(uint32_t, std::vector<std::string>&) override {}

 private:
  const LabelUnits& labels_;
};

class LabelSplitter final : public UnitSplitter {
 public:
  explicit LabelSplitter(LabelUnits labels) : labels_(std::move(labels)) {}
  std::unique_ptr<UnitReader> reader(const PrefixTokens&) const override {
    return std::make_unique<LabelUnitReader>(labels_);
  }
  int64_t most_units(int32_t token) const override {
    return static_cast<int64_t>(labels_.units[static_cast<std::size_t>(token)].size());
  }

 private:
  LabelUnits labels_;
};

}  // namespace

std::unique_ptr<const UnitSplitter> split_words(FusionLabels labels) {
  return std::make_unique<WordSplitter>(std::move(labels));
}

std::unique_ptr<const UnitSplitter> split_labels(LabelUnits labels) {
  return std::make_unique<LabelSplitter>(std::move(labels));
}

}  // namespace unrolled::search
