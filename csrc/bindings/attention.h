// Weights of attention as Python passes them: (score, query, memory, v), with None for what a score has not.
#pragma once

#include <tuple>

#include "bindings/arrays.h"
#include "ops/attention.h"

namespace unrolled {

template <class Real>
using AttentionArrays = std::tuple<std::string, MaybeArray<Real>, MaybeArray<Real>, MaybeArray<Real>>;

template <class Real>
AttentionWeights<Real> attention_weights(const AttentionArrays<Real>& arrays, int64_t H, int64_t M) {
  const auto& [score, query, memory, v] = arrays;
  AttentionWeights<Real> w = {AttentionScore::dot, H, M, M};
  if (score == "dot") {
    require(!query && !memory && !v && H == M,
            "a dot score has no weights, and queries as wide as the memory");
    return w;
  }
  require(memory && memory->ndim() == 2 && memory->shape(1) == M, "weight_memory must be (K, M)");
  w.K = memory->shape(0);
  w.memory = memory->data();
  if (score == "general") {
    require(!query && !v && w.K == H, "a general score has one weight, (H, M)");
    w.score = AttentionScore::general;
    return w;
  }
  require(score == "additive", "score must be dot, general or additive");
  require(query && v, "an additive score has three weights");
  require_shape(*query, {w.K, H}, "weight_query must be (K, H)");
  require_shape(*v, {w.K}, "v must be (K)");
  w.score = AttentionScore::additive;
  w.query = query->data();
  w.v = v->data();
  return w;
}

// Arrays of the weights' shapes; None where there is none.
template <class Real>
struct AttentionGradientArrays {
  MaybeArray<Real> query, memory, v;

  explicit AttentionGradientArrays(const AttentionWeights<Real>& w) {
    if (w.query) query = make_array<Real>({w.K, w.H});
    if (w.memory) memory = make_array<Real>({w.K, w.M});
    if (w.v) v = make_array<Real>({w.K});
  }
  AttentionGradients<Real> data() {
    const auto of = [](MaybeArray<Real>& array) { return array ? array->mutable_data() : nullptr; };
    return {of(query), of(memory), of(v)};
  }
  py::tuple tuple() const { return py::make_tuple(query, memory, v); }
};

inline void require_lengths(const Array<int64_t>& lengths, int64_t N, int64_t longest, const char* message) {
  require_shape(lengths, {N}, message);
  for (int64_t n = 0; n < N; ++n) require(lengths.at(n) >= 0 && lengths.at(n) <= longest, message);
}

}  // namespace unrolled
