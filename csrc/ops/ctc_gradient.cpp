#include "ops/ctc_gradient.h"

#include <algorithm>

#include "dispatch.h"
#include "ops/matmul.h"

namespace unrolled {
namespace {

const CtcGradientKernels& kernel() { return kernels<float>().ctc_gradient; }
int64_t lanes() { return kernels<float>().ctc_emissions.lanes; }

int64_t most_slots(const CtcItem<float>& item, const CtcEmissions& emissions) {
  return round_up(emissions.few_classes() ? item.C : std::min(item.C, item.L + 1), lanes());
}

}  // namespace

CtcGradientTile::CtcGradientTile(const CtcItem<float>& item, CtcEmissions& emissions)
    : item_(item),
      emissions_(emissions),
      most_slots_(most_slots(item, emissions)),
      slot_(emissions.width()),
      class_(most_slots_),
      acc_(most_slots_ * kCtcFrames),
      blank_parts_(kCtcFrames * lanes()) {
  if (emissions.few_classes()) {
    std::copy_n(emissions.classes(), emissions.width(), slot_.data());
    slots_ = round_up(item.C, lanes());
    blank_slot_ = static_cast<int32_t>(item.blank);
    return;
  }
  Buffer<int32_t> slot_of_class(item.C);
  std::fill_n(slot_of_class.data(), item.C, -1);
  const auto slot_of = [&](int64_t symbol) {
    int32_t& slot = slot_of_class[symbol];
    if (slot < 0) {
      slot = static_cast<int32_t>(slots_++);
      class_[slot] = static_cast<int32_t>(symbol);
    }
    return slot;
  };
  if (item.blank >= 0) blank_slot_ = slot_of(item.blank);
  for (int64_t i = 0; i < item.L; ++i) slot_[i] = slot_of(item.target[i]);
}

void CtcGradientTile::clear() {
  std::fill_n(acc_.data(), slots_ * kCtcFrames, 0.0f);
  std::fill_n(blank_parts_.data(), kCtcFrames * lanes(), 0.0f);
}

void CtcGradientTile::add(int64_t first, int64_t count, const float* posterior, int64_t stride) {
  const int64_t symbols = std::min(count, item_.L - first);
  if (symbols > 0) kernel().scatter(symbols, posterior, stride, slot_.data() + first, acc_.data());
}

void CtcGradientTile::write(int64_t t, int64_t n) {
  if (item_.blank >= 0) kernel().scatter_blank(blank_parts_.data(), acc_.data() + blank_slot_ * kCtcFrames);
  float inverse[kCtcFrames];
  kernel().normalizers(slots_, acc_.data(), inverse);
  for (float& x : inverse) x = static_cast<float>(static_cast<double>(x) * item_.scale);
  emissions_.restore_rows(t, n);
  emissions_.few_classes() ? write_few(t, n, inverse) : write_many(t, n, inverse);
}

void CtcGradientTile::write_few(int64_t t, int64_t n, const float* inverse) {
  float softmax[kCtcFrames];
  for (int64_t i = 0; i < n && item_.logits; ++i) {
    softmax[i] = static_cast<float>(item_.scale / static_cast<double>(emissions_.sums()[t + i]));
  }
  kernel().write_rows(n, item_.C, acc_.data(), item_.logits ? softmax : nullptr, inverse,
                      item_.grad + t * item_.C);
}

void CtcGradientTile::write_many(int64_t t, int64_t n, const float* inverse) {
  for (int64_t i = 0; i < n; ++i) {
    float* row = item_.grad + (t + i) * item_.C;
    for (int64_t slot = 0; slot < slots_; ++slot) {
      row[class_[slot]] -= acc_[slot * kCtcFrames + i] * inverse[i];
    }
  }
}

}  // namespace unrolled
