#include "search/generation.h"

#include <algorithm>
#include <memory>

#include "search/item_search.h"

namespace unrolled::search {
namespace {

constexpr int64_t kRoom = 16;  // that kernels may read behind the last number

// The rows of one step of a block, and what the model makes of them.
class Step {
 public:
  explicit Step(const StepModel& model) : model_(model) {}

  void clear() {
    tokens_.clear();
    items_.clear();
    before_.clear();
  }
  void add(int32_t token, int64_t item, const float* state) {
    before_.insert(before_.end(), state, state + model_.state_size());
    tokens_.push_back(token);
    items_.push_back(static_cast<int32_t>(item));
  }
  void run() {
    const int64_t V = model_.tokens(), S = model_.attended();
    grow(after_, rows() * model_.state_size());
    for (std::vector<float>* scores : {&logits_, &log_probs_, &ruled_}) grow(*scores, rows() * V);
    grow(attention_, rows() * S);
    model_.step(rows(), tokens_.data(), items_.data(), before_.data(), after_.data(), logits_.data(),
                S > 0 ? attention_.data() : nullptr);
  }

  int64_t rows() const { return static_cast<int64_t>(tokens_.size()); }
  const float* state_after(int64_t row) const { return after_.data() + row * model_.state_size(); }
  StepScores scores(int64_t row) {
    const int64_t V = model_.tokens(), S = model_.attended();
    return {S, logits_.data() + row * V, S > 0 ? attention_.data() + row * S : nullptr,
            log_probs_.data() + row * V, ruled_.data() + row * V};
  }

 private:
  static void grow(std::vector<float>& numbers, int64_t size) {
    const auto needed = static_cast<std::size_t>(size + kRoom);
    if (numbers.size() < needed) numbers.resize(needed);
  }

  const StepModel& model_;
  std::vector<int32_t> tokens_, items_;
  std::vector<float> before_, after_, logits_, log_probs_, ruled_, attention_;
};

// An item, and its first row in the last step.
struct Running {
  int64_t item, first_row;
  std::unique_ptr<ItemSearch> search;
};

void add_rows(Running& one, const float* states, int64_t state_size, Step& next) {
  const int64_t before = one.first_row;
  one.first_row = next.rows();
  for (const OpenRow& row : one.search->rows()) {
    next.add(row.token, one.item,
             row.from < 0 ? states + one.item * state_size : next.state_after(before + row.from));
  }
}

}  // namespace

void generate_block(const StepModel& model, const GenerationSettings& settings,
                    const GenerationInputs& inputs, const float* states, int64_t first, int64_t end,
                    WrittenItem* written, Interrupt& interrupt) {
  std::vector<Running> running;
  for (int64_t i = first; i < end; ++i) {
    running.push_back({i, 0, make_item_search(settings, inputs, i, model.tokens())});
  }
  Step step(model);
  while (!running.empty()) {
    if (interrupt.requested()) return;
    step.clear();
    for (Running& one : running) add_rows(one, states, model.state_size(), step);
    step.run();
    for (Running& one : running) {
      one.search->take(step.scores(one.first_row));
      if (one.search->rows().empty()) written[one.item - first] = one.search->written(model.attended());
    }
    std::erase_if(running, [](const Running& one) { return one.search->rows().empty(); });
  }
}

}  // namespace unrolled::search
