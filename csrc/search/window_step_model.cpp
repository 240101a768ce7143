#include "search/window_step_model.h"

#include <algorithm>
#include <utility>

namespace unrolled::search {

WindowStepModel::WindowStepModel(std::shared_ptr<const WindowNetwork> network, int64_t items,
                                 const int32_t* read)
    : network_(std::move(network)), items_(items), start_(items * network_->state_size()) {
  const int64_t reach = network_->reach(), size = items * state_size();
  std::fill_n(start_.data(), size, 0.0f);
  Buffer<float> before(size);
  Buffer<int32_t> tokens(items);
  for (int64_t k = 0; k < reach; ++k) {  // after so many steps nothing is left of the zeros
    for (int64_t i = 0; i < items; ++i) tokens[i] = read[i * reach + k];
    std::copy_n(start_.data(), size, before.data());
    network_->step(items, tokens.data(), before.data(), start_.data(), nullptr);
  }
}

void WindowStepModel::start(float* states) const {
  std::copy_n(start_.data(), items_ * state_size(), states);
}

void WindowStepModel::step(int64_t rows, const int32_t* tokens, const int32_t*, const float* before,
                           float* after, float* logits, float*) const {
  network_->step(rows, tokens, before, after, logits);
}

}  // namespace unrolled::search
