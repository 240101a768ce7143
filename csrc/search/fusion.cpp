#include "search/fusion.h"

#include <algorithm>
#include <limits>

#include "search/fusion_part.h"

namespace unrolled::search {
namespace {

constexpr uint32_t kGone = std::numeric_limits<uint32_t>::max();

class CombinedFusion final : public Fusion, public std::enable_shared_from_this<CombinedFusion> {
 public:
  CombinedFusion(int64_t classes, std::vector<std::shared_ptr<const FusionSource>> sources)
      : sources_(std::move(sources)),
        bounds_(static_cast<std::size_t>(classes)),
        weighted_(static_cast<std::size_t>(classes)) {
    for (std::size_t c = 0; c < bounds_.size(); ++c) {
      for (const auto& source : sources_) {
        bounds_[c] += source->upper_bound(static_cast<int32_t>(c));
        weighted_[c] |= source->weighs(static_cast<int32_t>(c));
      }
    }
    if (!bounds_.empty()) bound_ = *std::max_element(bounds_.begin(), bounds_.end());
  }

  std::unique_ptr<FusionRun> run() const override;
  bool needs_python() const override {
    return std::any_of(sources_.begin(), sources_.end(), [](const auto& s) { return s->needs_python(); });
  }
  bool gives_credit() const {
    return std::any_of(sources_.begin(), sources_.end(), [](const auto& s) { return s->gives_credit(); });
  }
  int64_t classes() const override { return static_cast<int64_t>(bounds_.size()); }

  const auto& sources() const { return sources_; }
  double bound() const { return bound_; }
  std::span<const double> bounds() const { return bounds_; }
  std::span<const uint8_t> weighted() const { return weighted_; }

 private:
  std::vector<std::shared_ptr<const FusionSource>> sources_;
  std::vector<double> bounds_;
  std::vector<uint8_t> weighted_;
  double bound_ = 0;
};

class CombinedRun final : public FusionRun {
 public:
  explicit CombinedRun(std::shared_ptr<const CombinedFusion> fusion) : fusion_(std::move(fusion)) {
    for (const auto& source : fusion_->sources()) parts_.push_back(source->part(prefixes_));
  }

  uint32_t start() override {
    prefixes_.parents.assign(1, 0);
    prefixes_.tokens.assign(1, -1);
    for (const auto& part : parts_) part->start();
    return 0;
  }

  void weigh(std::span<const uint32_t> states, std::span<const int32_t> tokens,
             double* log_weights) override {
    std::fill_n(log_weights, states.size(), 0.0);
    for (const auto& part : parts_) part->add_weights(states, tokens, log_weights);
  }

  uint32_t advance(uint32_t state, int32_t token) override {
    for (const auto& part : parts_) part->advance(state, token);
    prefixes_.parents.push_back(state);
    prefixes_.tokens.push_back(token);
    return static_cast<uint32_t>(prefixes_.parents.size()) - 1;
  }

  void finish(std::span<const uint32_t> states, double* log_weights) override {
    std::fill_n(log_weights, states.size(), 0.0);
    for (const auto& part : parts_) part->add_ends(states, log_weights);
  }

  double upper_bound() const override { return fusion_->bound(); }
  std::span<const double> upper_bounds() const override { return fusion_->bounds(); }
  std::span<const uint8_t> weighted() const override { return fusion_->weighted(); }

  double open_credit(uint32_t state) const override {
    double credit = 0;
    for (const auto& part : parts_) credit += part->open_credit(state);
    return credit;
  }

  bool gives_credit() const override { return fusion_->gives_credit(); }

  FusionScores scores(uint32_t state, bool finished) const override {
    FusionScores scores;
    for (const auto& part : parts_) part->add_scores(state, finished, scores);
    return scores;
  }

  // Spelling a word needs the states it came through: they stay too.
  void retain(std::span<uint32_t> states) override {
    std::vector<uint32_t> renamed(prefixes_.parents.size(), kGone);
    renamed[0] = 0;
    for (uint32_t state : states)
      for (; renamed[state] == kGone; state = prefixes_.parents[state]) renamed[state] = 0;
    std::vector<uint32_t> kept;
    for (uint32_t state = 0; state < renamed.size(); ++state) {
      if (renamed[state] == kGone) continue;
      renamed[state] = static_cast<uint32_t>(kept.size());
      kept.push_back(state);
    }
    for (const auto& part : parts_) part->retain(kept);
    keep(prefixes_.parents, kept);
    keep(prefixes_.tokens, kept);
    for (uint32_t& parent : prefixes_.parents) parent = renamed[parent];
    for (uint32_t& state : states) state = renamed[state];
  }

 private:
  std::shared_ptr<const CombinedFusion> fusion_;
  PrefixTokens prefixes_;
  std::vector<std::unique_ptr<FusionPart>> parts_;
};

std::unique_ptr<FusionRun> CombinedFusion::run() const {
  return std::make_unique<CombinedRun>(shared_from_this());
}

}  // namespace

std::vector<int32_t> PrefixTokens::read(uint32_t state) const {
  std::vector<int32_t> path;
  for (; state != 0; state = parents[state]) path.push_back(tokens[state]);
  std::reverse(path.begin(), path.end());
  return path;
}

std::shared_ptr<Fusion> combine(int64_t classes, std::vector<std::shared_ptr<const FusionSource>> sources) {
  return std::make_shared<CombinedFusion>(classes, std::move(sources));
}

}  // namespace unrolled::search
