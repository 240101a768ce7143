#include "search/step_unit_model.h"

#include <algorithm>
#include <cmath>

namespace unrolled::search {
namespace {

typedef std::shared_ptr<const float[]> Values;

// A prefix and its last unit. Most prefixes that a search asks about are never extended, so a state is only
// computed when something is to follow it, together with all others of that call.
struct State {
  Values before;  // of the prefix without the unit
  int32_t token;
  Values after;  // numbers of the state, and log probabilities of the next unit; none before it is computed
};

class StepUnitModel final : public UnitModel {
 public:
  StepUnitModel(const StepModel& model, const UnitTokens& units)
      : model_(model), units_(units), size_(model.state_size()), tokens_(model.tokens()) {}

  uint32_t start() override {
    std::vector<float> starts(static_cast<std::size_t>(model_.items() * size_));
    model_.start(starts.data());
    auto first = std::make_shared<float[]>(static_cast<std::size_t>(size_));
    std::copy_n(starts.begin(), size_, first.get());
    states_.assign(1, {std::move(first), units_.first, nullptr});
    return 0;
  }

  void score(std::vector<UnitQuery>& queries) override {
    asked_.clear();
    for (const UnitQuery& query : queries) asked_.push_back(query.state);
    compute(asked_);
    for (UnitQuery& query : queries) {
      const auto found = units_.tokens.find(query.unit);
      const int32_t token = found == units_.tokens.end() ? units_.unknown : found->second;
      query.log_probability = token == UnitTokens::kNone ? kForbidden : log_prob(query.state, token);
      query.next = static_cast<uint32_t>(states_.size());
      states_.push_back({states_[query.state].after, std::max(token, 0), nullptr});
    }
  }

  std::vector<double> finish(std::span<const uint32_t> states) override {
    std::vector<double> log_probs(states.size(), 0.0);
    if (units_.end == UnitTokens::kNone) return log_probs;
    asked_.assign(states.begin(), states.end());
    compute(asked_);
    for (std::size_t i = 0; i < states.size(); ++i) log_probs[i] = log_prob(states[i], units_.end);
    return log_probs;
  }

  void retain(std::span<const uint32_t> kept) override { keep(states_, kept); }

 private:
  double log_prob(uint32_t state, int32_t token) const { return states_[state].after[size_ + token]; }

  // Computes the states that are asked for and not there yet, in one step.
  void compute(std::vector<uint32_t>& asked) {
    std::sort(asked.begin(), asked.end());
    asked.erase(std::unique(asked.begin(), asked.end()), asked.end());
    std::erase_if(asked, [&](uint32_t state) { return states_[state].after != nullptr; });
    if (asked.empty()) return;
    const auto rows = asked.size(), size = static_cast<std::size_t>(size_),
               tokens = static_cast<std::size_t>(tokens_);
    before_.resize(rows * size), after_.resize(rows * size), logits_.resize(rows * tokens);
    written_.resize(rows), items_.assign(rows, 0);
    for (std::size_t i = 0; i < rows; ++i) {
      std::copy_n(states_[asked[i]].before.get(), size, &before_[i * size]);
      written_[i] = states_[asked[i]].token;
    }
    model_.step(static_cast<int64_t>(rows), written_.data(), items_.data(), before_.data(), after_.data(),
                logits_.data(), nullptr);
    for (std::size_t i = 0; i < rows; ++i) {
      auto values = std::make_shared<float[]>(size + tokens);
      std::copy_n(&after_[i * size], size, values.get());
      normalise({&logits_[i * tokens], tokens}, values.get() + size);
      states_[asked[i]].before = nullptr;
      states_[asked[i]].after = std::move(values);
    }
  }

  static void normalise(std::span<const float> logits, float* log_probs) {
    const float most = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit - most));
    const auto log_sum = static_cast<float>(std::log(sum));
    for (std::size_t k = 0; k < logits.size(); ++k) log_probs[k] = logits[k] - most - log_sum;
  }

  const StepModel& model_;
  const UnitTokens& units_;
  int64_t size_, tokens_;
  std::vector<State> states_;
  std::vector<uint32_t> asked_;
  std::vector<int32_t> written_, items_;
  std::vector<float> before_, after_, logits_;
};

class StepUnitModelSource final : public UnitModelSource {
 public:
  StepUnitModelSource(std::shared_ptr<const StepModel> model, UnitTokens units)
      : model_(std::move(model)), units_(std::move(units)) {}

  std::unique_ptr<UnitModel> run() const override { return std::make_unique<StepUnitModel>(*model_, units_); }
  double upper_bound() const override { return 0; }
  bool needs_python() const override { return model_->needs_python(); }

 private:
  std::shared_ptr<const StepModel> model_;
  UnitTokens units_;
};

}  // namespace

std::shared_ptr<const UnitModelSource> make_step_unit_model(std::shared_ptr<const StepModel> model,
                                                            UnitTokens units) {
  return std::make_shared<StepUnitModelSource>(std::move(model), std::move(units));
}

}  // namespace unrolled::search
