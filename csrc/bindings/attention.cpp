#include "bindings/attention.h"

#include "bindings/register.h"

namespace unrolled {
namespace {

template <class Real>
AttentionShape attention_shape(const Array<Real>& query, const Array<Real>& memory,
                               const Array<int64_t>& query_lengths, const Array<int64_t>& memory_lengths) {
  require(query.ndim() == 3 && memory.ndim() == 3 && query.shape(0) == memory.shape(0),
          "query must be (N, Q, H) and memory (N, S, M)");
  const int64_t N = query.shape(0), Q = query.shape(1), S = memory.shape(1);
  require_lengths(query_lengths, N, Q, "query_lengths must be (N) within 0 .. Q");
  require_lengths(memory_lengths, N, S, "memory_lengths must be (N) within 0 .. S");
  return {N, Q, S, query_lengths.data(), memory_lengths.data()};
}

template <class Real>
py::tuple attention_array(const Array<Real>& query, const Array<Real>& memory,
                          const Array<int64_t>& query_lengths, const Array<int64_t>& memory_lengths,
                          const AttentionArrays<Real>& weights) {
  const AttentionShape s = attention_shape(query, memory, query_lengths, memory_lengths);
  const AttentionWeights<Real> w = attention_weights(weights, query.shape(2), memory.shape(2));
  Array<Real> context = make_array<Real>({s.N, s.Q, w.M}), attended = make_array<Real>({s.N, s.Q, s.S});
  Array<Real> tape = make_array<Real>({attention_tape_size(s, w)});
  const Real *q = query.data(), *m = memory.data();
  Real *to = context.mutable_data(), *by = attended.mutable_data(), *saved = tape.mutable_data();
  {
    const py::gil_scoped_release release;
    attention(s, w, q, m, to, by, saved);
  }
  return py::make_tuple(context, attended, tape);
}

template <class Real>
py::tuple attention_backward_array(const Array<Real>& grad_context, const MaybeArray<Real>& grad_attended,
                                   const Array<Real>& query, const Array<Real>& memory,
                                   const Array<int64_t>& query_lengths, const Array<int64_t>& memory_lengths,
                                   const AttentionArrays<Real>& weights, const Array<Real>& attended,
                                   const Array<Real>& tape) {
  const AttentionShape s = attention_shape(query, memory, query_lengths, memory_lengths);
  const AttentionWeights<Real> w = attention_weights(weights, query.shape(2), memory.shape(2));
  require_shape(grad_context, {s.N, s.Q, w.M}, "grad_context must be (N, Q, M)");
  require_shape(attended, {s.N, s.Q, s.S}, "attended must be (N, Q, S)");
  if (grad_attended) require_shape(*grad_attended, {s.N, s.Q, s.S}, "grad_attended must be (N, Q, S)");
  require_shape(tape, {attention_tape_size(s, w)}, "the tape must be that of the forward pass");
  Array<Real> grad_query = make_array_like(query), grad_memory = make_array_like(memory);
  AttentionGradientArrays<Real> gradients(w);
  const Real *q = query.data(), *m = memory.data(), *by = attended.data(), *saved = tape.data();
  const Real *grad = grad_context.data(), *grad_by = data_or_null(grad_attended);
  Real *to_query = grad_query.mutable_data(), *to_memory = grad_memory.mutable_data();
  {
    const py::gil_scoped_release release;
    attention_backward(s, w, q, m, by, saved, grad, grad_by, to_query, to_memory, gradients.data());
  }
  return py::make_tuple(grad_query, grad_memory, gradients.tuple());
}

template <class Real>
void register_of(py::module_& m) {
  m.def("attention", &attention_array<Real>, "query"_a.noconvert(), "memory"_a.noconvert(),
        "query_lengths"_a.noconvert(), "memory_lengths"_a.noconvert(), "weights"_a.noconvert());
  m.def("attention_backward", &attention_backward_array<Real>, "grad_context"_a.noconvert(),
        "grad_attended"_a.noconvert().none(true), "query"_a.noconvert(), "memory"_a.noconvert(),
        "query_lengths"_a.noconvert(), "memory_lengths"_a.noconvert(), "weights"_a.noconvert(),
        "attended"_a.noconvert(), "tape"_a.noconvert());
}

}  // namespace

void register_attention(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
