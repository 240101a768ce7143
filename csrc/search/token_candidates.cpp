#include "search/token_candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "dispatch.h"

namespace unrolled::search {
namespace {

constexpr int64_t kChunk = 512, kRoom = 16;
constexpr float kLowest = std::numeric_limits<float>::lowest();

// Calls offer(i) for the scores >= least() in order; the bound is asked for again after each chunk.
template <class Least, class Offer>
void for_each_at_least(const float* scores, int64_t V, const Least& least, const Offer& offer) {
  static constexpr int32_t kNoPlaces[kChunk + kRoom] = {};
  float values[kChunk + kRoom];
  int32_t places[kChunk + kRoom], numbers[kChunk + kRoom];
  const auto& choose = kernels<float>().decode.choose;
  for (int64_t begin = 0; begin < V; begin += kChunk) {
    const int64_t size = std::min(kChunk, V - begin);
    int64_t found = choose(size, scores + begin, kNoPlaces, least(), values, places, numbers);
    while (found > 0 && numbers[found - 1] >= size) --found;  // what lies behind the last
    for (int64_t k = 0; k < found; ++k) offer(static_cast<int32_t>(begin) + numbers[k], values[k]);
  }
}

}  // namespace

void TokenCandidates::offer(const TokenCandidate& candidate) {
  if (!is_full()) {
    best_.push_back(candidate);
    if (is_full()) std::make_heap(best_.begin(), best_.end());
    return;
  }
  if (!(candidate < best_.front())) return;
  std::pop_heap(best_.begin(), best_.end());
  best_.back() = candidate;
  std::push_heap(best_.begin(), best_.end());
}

void TokenCandidates::offer_row(double base, int32_t place, const float* scores, int64_t V) {
  const auto least = [&] {
    if (!is_full()) return kLowest;
    const auto bound = static_cast<float>(best_.front().total - base);
    return std::max(std::nextafter(bound, -std::numeric_limits<float>::infinity()), kLowest);
  };
  for_each_at_least(scores, V, least, [&](int32_t token, float score) {
    offer({base + static_cast<double>(score), place, token});
  });
}

const std::vector<TokenCandidate>& TokenCandidates::sorted() {
  std::sort(best_.begin(), best_.end());
  return best_;
}

int32_t best_token(const float* scores, int64_t V) {
  int32_t best = -1;
  float most = -std::numeric_limits<float>::infinity();
  for_each_at_least(
      scores, V, [&] { return std::max(most, kLowest); },
      [&](int32_t token, float score) {
        if (score > most) most = score, best = token;
      });
  return best;
}

}  // namespace unrolled::search
