#include "denormals.h"
#include "ops/attention_decoder.h"
#include "ops/attention_decoder_rows.h"
#include "ops/recurrent_backward_run.h"
#include "ops/recurrent_table.h"

namespace unrolled {
namespace {

template <class Real>
int64_t tile_row(int64_t features) {
  return round_up(features, kernels<Real>().recurrent.tile_columns);
}

// The weights, packed for products with the gradients of what they gave.
template <class Real>
struct DecoderProductsBack {
  std::deque<std::deque<ProductBack<Real>>> hidden;  // per layer and group of gates
  std::deque<ProductBack<Real>> input;               // per layer; of the first, of what it is fed besides x
  std::deque<PackedMatrix<Real>> query;              // none or one
  PackedMatrix<Real> output;

  explicit DecoderProductsBack(const DecoderRows<Real>& r)
      : output(row_major(r.d.output_weight, r.d.H, r.joined_size())) {
    for (const DecoderLayer<Real>& layer : r.layers) {
      const RecurrentDirection<Real>& d = layer.at();
      auto& groups = hidden.emplace_back();
      for (const GateGroup& group : d.hidden_groups())
        groups.emplace_back(d, group, d.weights.weight_hh, r.d.H);
      const bool first = input.empty();
      input.emplace_back(d, d.all_gates(), first ? r.weight_fed() : d.weights.weight_ih,
                         first ? r.d.fed() : r.d.H);
    }
    const AttentionWeights<Real>& w = r.d.attention;
    if (w.query) query.emplace_back(row_major(w.query, w.K, w.H));
  }
};

// Gradients by row, of which those of the weights are made at the end.
template <class Real>
struct DecoderRowGradients {
  std::deque<RowGradients<Real>> gates;  // per layer
  Buffer<Real> outputs;                  // (rows, H), before the tanh
  Buffer<Real> joined;                   // (rows, M + H)
  Buffer<Real> queries;                  // (rows, K)

  explicit DecoderRowGradients(const DecoderRows<Real>& r)
      : outputs(r.rows.count() * r.d.H),
        joined(r.rows.count() * r.joined_size()),
        queries(r.rows.count() * r.d.attention.K) {
    for (const DecoderLayer<Real>& layer : r.layers) gates.emplace_back(layer.at());
  }
};

// The gradients of some outputs, (count, H), into those before the tanh.
template <class Real>
void through_tanh(const AttentionDecoder<Real>& d, const Real* output, const Real* grad, Real* to) {
  std::copy_n(grad, d.H, to);
  kernels<Real>().attention.tanh_backward(d.H, output, to);
}

// Some of the items, from the last step to the first.
template <class Real>
class DecoderBackward {
 public:
  DecoderBackward(const DecoderRows<Real>& r, const AttentionDecoderResults<Real>& results,
                  const DecoderProductsBack<Real>& back, DecoderRowGradients<Real>& by_row,
                  AttentionMemoryGradients<Real>& memory, const DecoderItems& items)
      : r_(r),
        d_(r.d),
        results_(results),
        back_(back),
        by_row_(by_row),
        memory_(memory),
        items_(items),
        fed_row_(tile_row<Real>(r.d.fed())),
        below_row_(tile_row<Real>(r.d.H)),
        fed_((items.last - items.first) * fed_row_),
        below_((items.last - items.first) * below_row_),
        asking_((items.last - items.first) * r.d.H),
        scores_(r.d.S),
        scratch_(scratch_size(back, items.last - items.first)) {
    for (std::size_t i = 0; i < r.layers.size(); ++i)
      layers_.emplace_back(r.layers[i].at(), back.hidden[i], nullptr, by_row.gates[i], items.first,
                           items.last);
  }

  void run(const Real* grad_output, const Real* grad_attended, AttentionDecoderState<const Real> grad_end,
           AttentionDecoderState<Real> grad_initial) {
    for (std::size_t i = 0; i < layers_.size(); ++i) layers_[i].start(of_layer(results_.initial, i));
    for (int64_t step = items_.steps() - 1; step >= 0; --step) {
      for (std::size_t i = 0; i < layers_.size(); ++i) layers_[i].begin(step, of_layer(grad_end, i));
      if (!r_.context()) {
        put_out_backward(step, grad_output, grad_end.output);
        attend_backward(step, grad_attended);
      }
      add_to_top(step, by_row_.joined.data() + items_.row(step) * r_.joined_size() + d_.attention.M,
                 r_.joined_size());
      for (std::size_t i = layers_.size(); i-- > 0;) step_back(i, step);
      if (r_.context()) {
        for (int64_t i = 0; i < items_.active(step); ++i)
          add(d_.attention.M, fed_.data() + i * fed_row_, grad_context(step, i));
        attend_backward(step, grad_attended);
      }
    }
    for (std::size_t i = 0; i < layers_.size(); ++i) layers_[i].finish(of_layer(grad_initial, i));
    for (int64_t i = 0; grad_initial.output && i < items_.active(0); ++i)
      std::copy_n(fed_.data() + i * fed_row_, d_.H, grad_initial.output + items_.item(i) * d_.H);
  }

 private:
  static int64_t scratch_size(const DecoderProductsBack<Real>& back, int64_t rows) {
    const int64_t query = back.query.empty() ? 0 : back.query[0].scratch_size(rows);
    return std::max(query, back.output.scratch_size(rows));
  }
  template <class T>
  RecurrentState<T> of_layer(const AttentionDecoderState<T>& state, std::size_t layer) const {
    const int64_t offset = static_cast<int64_t>(layer) * d_.N * d_.H;
    return {state.h ? state.h + offset : nullptr, state.c ? state.c + offset : nullptr};
  }
  static void add(int64_t n, const Real* from, Real* to) {
    for (int64_t j = 0; j < n; ++j) to[j] += from[j];
  }
  Real* grad_context(int64_t step, int64_t i) {
    return by_row_.joined.data() + (items_.row(step) + i) * r_.joined_size();
  }

  // Rows (active, H), grad_row apart, to the gradient of the top layer's state.
  void add_to_top(int64_t step, const Real* grad, int64_t grad_row) {
    for (int64_t i = 0; i < items_.active(step); ++i) add(d_.H, grad + i * grad_row, layers_.back().grad(i));
  }

  // Outputs that the next step has read: from their gradients to those of [c; h].
  void put_out_backward(int64_t step, const Real* grad_output, const Real* grad_end) {
    const int64_t count = items_.active(step), row = items_.row(step), H = d_.H;
    Real* grads = by_row_.outputs.data() + row * H;
    for (int64_t i = 0; i < count; ++i) {
      Real* fed = fed_.data() + i * fed_row_;
      if (i >= items_.active(step + 1))
        copy_or_zero(H, grad_end ? grad_end + items_.item(i) * H : nullptr, fed);
      const int64_t at = (items_.item(i) * d_.T + step) * H;
      add(H, grad_output + at, fed);
      through_tanh(d_, results_.output + at, fed, grads + i * H);
    }
    back_.output.multiply(row_major<Real>(grads, count, H), scratch_.data(), grad_context(step, 0),
                          r_.joined_size(), false);
  }

  // From the gradients of the contexts to those of the states that asked.
  void attend_backward(int64_t step, const Real* grad_attended) {
    const AttentionWeights<Real>& w = d_.attention;
    const int64_t count = items_.active(step), row = items_.row(step);
    Real* queries = by_row_.queries.data() + row * w.K;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t at = (items_.item(i) * d_.T + step) * d_.S;
      memory_.attend_backward(items_.item(i), r_.query(row + i), results_.attended + at,
                              grad_context(step, i), grad_attended ? grad_attended + at : nullptr,
                              queries + i * w.K, scores_.data());
    }
    if (!w.query) return add_to_top(step, queries, w.K);
    back_.query[0].multiply(row_major<Real>(queries, count, w.K), scratch_.data(), asking_.data(), d_.H,
                            false);
    add_to_top(step, asking_.data(), d_.H);
  }

  // One layer's step, and on to what it read.
  void step_back(std::size_t layer, int64_t step) {
    const int64_t count = items_.active(step), row = items_.row(step);
    layers_[layer].differentiate(step);
    const GatePanels<const Real> gates = const_panels(by_row_.gates[layer].by_input);
    if (layer == 0) {
      back_.input[0].multiply(count, gates, row, fed_.data(), fed_row_, false);
    } else {
      back_.input[layer].multiply(count, gates, row, below_.data(), below_row_, false);
      for (int64_t i = 0; i < count; ++i) add_below(layer, step, i);
    }
    layers_[layer].go_back(step);
  }
  void add_below(std::size_t layer, int64_t step, int64_t i) {
    Real* grad = below_.data() + i * below_row_;
    if (d_.dropout_mask) {
      const int64_t below = static_cast<int64_t>(layer) - 1;
      const Real* mask = d_.dropout_mask + ((below * d_.N + items_.item(i)) * d_.T + step) * d_.H;
      for (int64_t j = 0; j < d_.H; ++j) grad[j] *= mask[j];
    }
    add(d_.H, grad, layers_[layer - 1].grad(i));
  }

  const DecoderRows<Real>& r_;
  const AttentionDecoder<Real>& d_;
  const AttentionDecoderResults<Real>& results_;
  const DecoderProductsBack<Real>& back_;
  DecoderRowGradients<Real>& by_row_;
  AttentionMemoryGradients<Real>& memory_;
  DecoderItems items_;
  int64_t fed_row_, below_row_;
  Buffer<Real> fed_;     // of what the first layer is fed besides x
  Buffer<Real> below_;   // of what another layer reads
  Buffer<Real> asking_;  // of the states that ask, where the score projects them
  Buffer<Real> scores_, scratch_;
  std::deque<BackwardRun<Real>> layers_;
};

// Outputs that no step has read: from their gradients to those of [c; h], for all rows at once.
template <class Real>
void put_out_all_backward(const DecoderRows<Real>& r, const Real* output, const Real* grad_output,
                          DecoderRowGradients<Real>& by_row) {
  const AttentionDecoder<Real>& d = r.d;
  const int64_t count = r.rows.count();
  parallel_for(r.rows.steps(), count * d.H, [&](int64_t step) {
    for (int64_t place = 0; place < r.rows.active(step); ++place) {
      const int64_t at = r.first().frame_offset(place, step, d.H);
      through_tanh(d, output + at, grad_output + at,
                   by_row.outputs.data() + (r.rows.begin(step) + place) * d.H);
    }
  });
  matmul(row_major<Real>(by_row.outputs.data(), count, d.H), row_major(d.output_weight, d.H, r.joined_size()),
         by_row.joined.data(), r.joined_size(), false);
}

// What the contexts of all steps give the memory, one product an item.
template <class Real>
void memory_gradients(const DecoderRows<Real>& r, const Real* attended,
                      const DecoderRowGradients<Real>& by_row, AttentionMemoryGradients<Real>& memory) {
  const AttentionDecoder<Real>& d = r.d;
  const int64_t M = d.attention.M, work = r.rows.count() * d.S * M / kMultiplyAddsPerOperation;
  parallel_for(r.rows.places(), work, [&](int64_t place) {
    const int64_t n = r.rows.item(place), steps = r.rows.length(place);
    Buffer<Real> contexts(steps * M);
    for (int64_t step = 0; step < steps; ++step) {
      const int64_t row = r.rows.begin(step) + place;
      std::copy_n(by_row.joined.data() + row * r.joined_size(), M, contexts.data() + step * M);
    }
    memory.add_contexts(n, row_major(attended + n * d.T * d.S, steps, d.S),
                        row_major<Real>(contexts.data(), steps, M));
  });
}

// The gradient of the first layer's weight: its columns for x, and for what is fed.
template <class Real>
void first_weight_gradient(const DecoderRows<Real>& r, const RowGradients<Real>& by_row, const Real* x,
                           Real* gradient) {
  const RecurrentDirection<Real>& first = r.first();
  const int64_t E = r.d.E, F = r.d.fed(), rows = r.rows.count(), G = r.d.cell.gates * r.d.H;
  if (E == 0) return input_weight_gradient<Real>(first, by_row, r.fed, r.fed_row, F, gradient);
  const int64_t x_row = padded_row<Real>(E);
  Buffer<Real> frames(rows * x_row), by_x(G * E), by_fed(G * F);
  gather_frames(first, x, 0, rows, frames.data());
  input_weight_gradient<Real>(first, by_row, frames.data(), x_row, E, by_x.data());
  input_weight_gradient<Real>(first, by_row, r.fed, r.fed_row, F, by_fed.data());
  for (int64_t i = 0; i < G; ++i) {
    std::copy_n(by_x.data() + i * E, E, gradient + i * (E + F));
    std::copy_n(by_fed.data() + i * F, F, gradient + i * (E + F) + E);
  }
}

template <class Real>
void bias_gradient(int64_t rows, int64_t n, const Real* grad, Real* bias) {
  std::vector<double> sums(static_cast<std::size_t>(n));
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < n; ++j) sums[static_cast<std::size_t>(j)] += static_cast<double>(grad[i * n + j]);
  }
  for (int64_t j = 0; j < n; ++j) bias[j] = static_cast<Real>(sums[static_cast<std::size_t>(j)]);
}

// Each of them one product over all rows.
template <class Real>
void decoder_weight_gradients(const DecoderRows<Real>& r, const AttentionDecoderResults<Real>& results,
                              DecoderRowGradients<Real>& by_row,
                              const AttentionDecoderGradients<Real>& gradients) {
  const AttentionDecoder<Real>& d = r.d;
  const int64_t rows = r.rows.count();
  for (std::size_t i = 0; i < r.layers.size(); ++i) {
    const DecoderLayer<Real>& layer = r.layers[i];
    if (i == 0) {
      first_weight_gradient(r, by_row.gates[i], results.x, gradients.layers[i].weight_ih);
    } else {
      input_weight_gradient<Real>(layer.at(), by_row.gates[i], layer.input, layer.input_row, d.H,
                                  gradients.layers[i].weight_ih);
    }
    state_weight_gradients<Real>(layer.at(), {}, by_row.gates[i], gradients.layers[i]);
  }
  const MatrixView<Real> outputs = row_major<Real>(by_row.outputs.data(), rows, d.H);
  matmul(outputs.transposed(), {r.joined, rows, r.joined_size(), r.joined_row(), 1}, gradients.output_weight,
         r.joined_size(), false);
  bias_gradient<Real>(rows, d.H, by_row.outputs.data(), gradients.output_bias);
  if (!d.attention.query) return;
  const MatrixView<Real> queries = row_major<Real>(by_row.queries.data(), rows, d.attention.K);
  matmul(queries.transposed(), r.asking(0, rows), gradients.attention.query, d.H, false);
}

}  // namespace

template <class Real>
void attention_decoder_backward(const AttentionDecoder<Real>& d, const AttentionDecoderResults<Real>& results,
                                const Real* grad_output, const Real* grad_attended,
                                AttentionDecoderState<const Real> grad_end, Real* grad_x, Real* grad_memory,
                                const AttentionDecoderGradients<Real>& gradients,
                                AttentionDecoderState<Real> grad_initial, Real* grad_table) {
  const DecoderRows<Real> r(d, const_cast<Real*>(results.tape));
  copy_or_zero(d.layers * d.N * d.H, grad_end.h, grad_initial.h);
  if (grad_initial.c) copy_or_zero(d.layers * d.N * d.H, grad_end.c, grad_initial.c);
  if (grad_initial.output) copy_or_zero(d.N * d.H, grad_end.output, grad_initial.output);
  const AttentionMemory<Real> held(d.N, d.S, d.memory_lengths, d.attention, results.memory, r.keys);
  AttentionMemoryGradients<Real> memory(held, d.N);
  DecoderRowGradients<Real> by_row(r);
  if (r.context()) put_out_all_backward(r, results.output, grad_output, by_row);
  {
    const DecoderProductsBack<Real> back(r);
    for_each_decoder_run(r, [&](const DecoderItems& items) {
      const FlushDenormals flush;
      DecoderBackward<Real>(r, results, back, by_row, memory, items)
          .run(grad_output, grad_attended, grad_end, grad_initial);
    });
  }
  memory_gradients(r, results.attended, by_row, memory);
  decoder_weight_gradients(r, results, by_row, gradients);
  memory.finish(grad_memory, gradients.attention);
  const GatePanels<const Real> of_first = const_panels(by_row.gates[0].by_input);
  if (grad_x) input_gradient(r.first(), of_first, grad_x);
  if (grad_table) table_gradient(r.first(), of_first, grad_table);
}

#define UNROLLED_INSTANTIATE(Real)                                                                   \
  template void attention_decoder_backward(                                                          \
      const AttentionDecoder<Real>&, const AttentionDecoderResults<Real>&, const Real*, const Real*, \
      AttentionDecoderState<const Real>, Real*, Real*, const AttentionDecoderGradients<Real>&,       \
      AttentionDecoderState<Real>, Real*);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
