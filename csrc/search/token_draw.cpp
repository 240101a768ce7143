#include "search/token_draw.h"

#include <algorithm>
#include <limits>

#include "dispatch.h"

namespace unrolled::search {
namespace {

constexpr double kColdest = 1e-30;  // below it no second token has a probability
constexpr int64_t kFirstNucleus = 64;

// How many of the leading probabilities sum to `share`; all where they do not.
std::size_t leading(const std::vector<float>& probabilities, double share) {
  double sum = 0;
  for (std::size_t k = 0; k < probabilities.size(); ++k) {
    sum += static_cast<double>(probabilities[k]);
    if (sum >= share) return k + 1;
  }
  return probabilities.size();
}

}  // namespace

int32_t TokenDraw::draw(float* scores, int64_t V, double uniform) {
  const int32_t top = best_token(scores, V);
  if (top < 0 || settings_.temperature < kColdest) return top;
  if (settings_.temperature != 1) {
    const float most = scores[top], scale = static_cast<float>(1 / settings_.temperature);
    for (int64_t v = 0; v < V; ++v) scores[v] = (scores[v] - most) * scale;
  }
  const auto softmax = kernels<float>().softmax.softmax_forward;
  const bool cuts_k = settings_.top_k > 0 && settings_.top_k < V, cuts_p = settings_.top_p < 1;
  if (cuts_k) {
    keep_best(scores, V, settings_.top_k);
    softmax(static_cast<int64_t>(kept_.size()), kept_.data(), kept_.data());
    if (cuts_p) kept_.resize(leading(kept_, settings_.top_p));
  } else {
    softmax(V, scores, scores);
    if (cuts_p) keep_nucleus(scores, V);
  }
  if (!cuts_k && !cuts_p) return static_cast<int32_t>(pick(scores, V, uniform));
  return ids_[static_cast<std::size_t>(pick(kept_.data(), static_cast<int64_t>(kept_.size()), uniform))];
}

void TokenDraw::keep_best(const float* scores, int64_t V, int64_t count) {
  candidates_.reset(count);
  candidates_.offer_row(0, 0, scores, V);
  ids_.clear();
  kept_.clear();
  for (const TokenCandidate& c : candidates_.sorted()) {
    ids_.push_back(c.token);
    kept_.push_back(scores[c.token]);
  }
}

// Holtzman et al. 2020, "The curious case of neural text degeneration", section 3.1. Most probability lies on
// few tokens: more of them are looked for only where these do not suffice.
void TokenDraw::keep_nucleus(const float* probabilities, int64_t V) {
  for (int64_t count = kFirstNucleus;; count *= 4) {
    keep_best(probabilities, V, std::min(count, V));
    const std::size_t needed = leading(kept_, settings_.top_p);
    if (needed < kept_.size() || count >= V) return kept_.resize(needed);
  }
}

int64_t TokenDraw::pick(const float* probabilities, int64_t n, double uniform) {
  double total = 0;
  for (int64_t k = 0; k < n; ++k) total += static_cast<double>(probabilities[k]);
  double rest = uniform * total, sum = 0;
  int64_t last = 0;  // with a probability: the sums may round to a bit less than the total
  for (int64_t k = 0; k < n; ++k) {
    if (probabilities[k] <= 0) continue;
    sum += static_cast<double>(probabilities[k]);
    last = k;
    if (sum > rest) break;
  }
  return last;
}

}  // namespace unrolled::search
