// The best of many tokens, without sorting the others.
#pragma once

#include <cstdint>
#include <vector>

namespace unrolled::search {

// A token that may follow the hypothesis at `place` of the beam; -1: that hypothesis as it is, which has
// ended.
struct TokenCandidate {
  double total;
  int32_t place, token;

  // The written order: by total, of equals by place, then by token.
  bool operator<(const TokenCandidate& other) const {
    if (total != other.total) return total > other.total;
    if (place != other.place) return place < other.place;
    return token < other.token;
  }
};

// The first `limit` candidates in that order. They are to be offered by place, then by token.
class TokenCandidates {
 public:
  void reset(int64_t limit) {
    limit_ = static_cast<std::size_t>(limit);
    best_.clear();
  }
  void offer(const TokenCandidate& candidate);
  // All tokens whose score is above -inf, each with total = base + score. Behind scores (V) there is room
  // for a whole vector, which may be read.
  void offer_row(double base, int32_t place, const float* scores, int64_t V);
  // In order; nothing is offered afterwards.
  const std::vector<TokenCandidate>& sorted();

 private:
  bool is_full() const { return best_.size() == limit_; }

  std::size_t limit_ = 0;
  std::vector<TokenCandidate> best_;  // when full a heap, the last in order on top
};

// The lowest of the largest scores, or -1 where all are -inf; room as above.
int32_t best_token(const float* scores, int64_t V);

}  // namespace unrolled::search
