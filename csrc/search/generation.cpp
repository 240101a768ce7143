#include "search/generation.h"

#include <algorithm>
#include <memory>

#include "memory.h"
#include "search/item_search.h"

namespace unrolled::search {
namespace {

constexpr int64_t kRoom = 16;  // that kernels may read behind the last number

// The rows of one step of a block, and what the model makes of them.
class Step {
 public:
  Step(const StepModel& model, int64_t most_rows)
      : model_(model),
        state_size_(model.state_size()),
        before_(most_rows * state_size_),
        after_(most_rows * state_size_),
        logits_(most_rows * model.tokens() + kRoom),
        log_probs_(most_rows * model.tokens() + kRoom),
        ruled_(most_rows * model.tokens() + kRoom),
        attention_(most_rows * model.attended()) {}

  void clear() {
    tokens_.clear();
    items_.clear();
  }
  void add(int32_t token, int64_t item, const float* state) {
    std::copy_n(state, state_size_, before_.data() + rows() * state_size_);
    tokens_.push_back(token);
    items_.push_back(static_cast<int32_t>(item));
  }
  void run() {
    float* attention = model_.attended() > 0 ? attention_.data() : nullptr;
    model_.step(rows(), tokens_.data(), items_.data(), before_.data(), after_.data(), logits_.data(),
                attention);
  }

  int64_t rows() const { return static_cast<int64_t>(tokens_.size()); }
  const float* state_after(int64_t row) const { return after_.data() + row * state_size_; }
  StepScores scores(int64_t row) {
    const int64_t V = model_.tokens(), S = model_.attended();
    return {S, logits_.data() + row * V, S > 0 ? attention_.data() + row * S : nullptr,
            log_probs_.data() + row * V, ruled_.data() + row * V};
  }

 private:
  const StepModel& model_;
  const int64_t state_size_;
  std::vector<int32_t> tokens_, items_;
  Buffer<float> before_, after_, logits_, log_probs_, ruled_, attention_;
};

struct Running {
  int64_t item;
  int64_t first_row;  // in the step before
  std::unique_ptr<ItemSearch> search;
};

}  // namespace

void generate_block(const StepModel& model, const GenerationSettings& settings,
                    const GenerationInputs& inputs, const float* states, int64_t first, int64_t end,
                    WrittenItem* written, Interrupt& interrupt) {
  const int64_t state_size = model.state_size();
  std::vector<Running> running;
  for (int64_t i = first; i < end; ++i) {
    running.push_back({i, 0, make_item_search(settings, inputs, i, model.tokens())});
  }
  Step step(model, (end - first) * settings.most_rows());
  while (!running.empty()) {
    if (interrupt.requested()) return;
    step.clear();
    for (Running& one : running) {
      const int64_t before = one.first_row;
      one.first_row = step.rows();
      for (const OpenRow& row : one.search->rows()) {
        step.add(row.token, one.item,
                 row.from < 0 ? states + one.item * state_size : step.state_after(before + row.from));
      }
    }
    step.run();
    for (Running& one : running) {
      one.search->take(step.scores(one.first_row));
      if (one.search->rows().empty()) written[one.item - first] = one.search->written(model.attended());
    }
    std::erase_if(running, [](const Running& one) { return one.search->rows().empty(); });
  }
}

}  // namespace unrolled::search
