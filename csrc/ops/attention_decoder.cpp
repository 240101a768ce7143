#include "ops/attention_decoder.h"

#include "denormals.h"
#include "ops/attention_decoder_rows.h"
#include "ops/recurrent_forward_run.h"
#include "ops/recurrent_table.h"

namespace unrolled {
namespace {

constexpr int64_t kRowsPerTask = 96;

// The weights, packed for the products of the steps.
template <class Real>
struct PackedDecoder {
  std::deque<std::deque<PackedWeights<Real>>> layers;  // one entry each
  Buffer<Real> fed;
  std::deque<PackedMatrix<Real>> query;  // none or one
  PackedMatrix<Real> output;

  explicit PackedDecoder(const DecoderRows<Real>& r)
      : fed(r.first().gates.columns * r.d.fed()),
        output(row_major(r.d.output_weight, r.d.H, r.joined_size()).transposed()) {
    for (const DecoderLayer<Real>& layer : r.layers) layers.push_back(pack_weights(layer.direction));
    const RecurrentDirection<Real>& first = r.first();
    kernels<Real>().recurrent.pack_gates(r.d.cell.gates, r.d.H, r.d.fed(), r.d.cell.panel_vectors,
                                         r.weight_fed(), 0, first.gates.count(), fed.data());
    const AttentionWeights<Real>& w = r.d.attention;
    if (w.query) query.emplace_back(row_major(w.query, w.K, w.H).transposed());
  }
};

// o = tanh(W [c; h] + b) of some rows, which follow each other.
template <class Real>
void put_out(const DecoderRows<Real>& r, const PackedDecoder<Real>& packed, int64_t begin, int64_t end,
             Real* scratch, Real* outputs) {
  const MatrixView<Real> joined = {r.joined + begin * r.joined_row(), end - begin, r.joined_size(),
                                   r.joined_row(), 1};
  packed.output.multiply(joined, scratch, outputs, r.d.H, false);
  for (int64_t i = 0; i < end - begin; ++i)
    kernels<Real>().attention.tanh_bias(r.d.H, r.d.output_bias, outputs + i * r.d.H);
}

// Some of the items, step by step.
template <class Real>
class DecoderForward {
 public:
  DecoderForward(const DecoderRows<Real>& r, const PackedDecoder<Real>& packed,
                 const AttentionMemory<Real>& memory, const DecoderItems& items, Real* output, Real* attended)
      : r_(r),
        d_(r.d),
        packed_(packed),
        memory_(memory),
        items_(items),
        output_(output),
        attended_(attended),
        outputs_((items.last - items.first) * r.d.H),
        scratch_(scratch_size(packed, items.last - items.first)) {
    for (std::size_t i = 0; i < r.layers.size(); ++i)
      layers_.emplace_back(r.layers[i].at(), packed.layers[i][0], items.first, items.last);
  }

  void run(AttentionDecoderState<const Real> initial, AttentionDecoderState<Real> end) {
    start(initial);
    for (int64_t step = 0; items_.active(step) > 0; ++step) {
      if (r_.context()) attend(step);
      for (std::size_t i = 0; i < layers_.size(); ++i) {
        feed(i, step);
        layers_[i].take(step);
      }
      join(step);
      if (!r_.context()) {
        attend(step);
        put_out(step, end);
      }
      for (std::size_t i = 0; i < layers_.size(); ++i) layers_[i].finish(step, of_layer(end, i));
    }
  }

 private:
  static int64_t scratch_size(const PackedDecoder<Real>& packed, int64_t rows) {
    const int64_t query = packed.query.empty() ? 0 : packed.query[0].scratch_size(rows);
    return std::max(query, packed.output.scratch_size(rows));
  }
  template <class T>
  RecurrentState<T> of_layer(const AttentionDecoderState<T>& state, std::size_t layer) const {
    const int64_t offset = static_cast<int64_t>(layer) * d_.N * d_.H;
    return {state.h ? state.h + offset : nullptr, state.c ? state.c + offset : nullptr};
  }

  void start(AttentionDecoderState<const Real> initial) {
    for (std::size_t i = 0; i < layers_.size(); ++i) layers_[i].start(of_layer(initial, i));
    for (int64_t i = 0; !r_.context() && i < items_.active(0); ++i) {
      copy_or_zero(d_.H, initial.output ? initial.output + items_.item(i) * d_.H : nullptr,
                   r_.fed + (items_.row(0) + i) * r_.fed_row);
    }
  }

  // Contexts of a step, into the rows of [c; h].
  void attend(int64_t step) {
    const int64_t count = items_.active(step), row = items_.row(step);
    if (d_.attention.query) {
      packed_.query[0].multiply(r_.asking(row, count), scratch_.data(), r_.queries + row * d_.attention.K,
                                d_.attention.K, false);
    }
    for (int64_t i = 0; i < count; ++i) {
      if (d_.attention.query) memory_.prepare(items_.item(i), r_.queries + (row + i) * d_.attention.K);
      Real* weights = attended_ + (items_.item(i) * d_.T + step) * d_.S;
      memory_.attend(items_.item(i), r_.query(row + i), weights, r_.joined + (row + i) * r_.joined_row());
    }
  }

  // What a layer reads, times its weight: the first one's x has been multiplied before.
  void feed(std::size_t layer, int64_t step) {
    const RecurrentKernels<Real>& kernel = kernels<Real>().recurrent;
    const RecurrentDirection<Real>& to = r_.layers[layer].at();
    const int64_t count = items_.active(step), row = items_.row(step);
    if (layer == 0) {
      return kernel.project(count, d_.fed(), r_.fed + row * r_.fed_row, r_.fed_row, packed_.fed.data(),
                            nullptr, to.gates, row);
    }
    const int64_t input_row = r_.layers[layer].input_row;
    Real* input = r_.layers[layer].input + row * input_row;
    for (int64_t i = 0; i < count; ++i) drop(layer, step, i, input + i * input_row);
    const PackedWeights<Real>& packed = packed_.layers[layer][0];
    kernel.project(count, d_.H, input, input_row, packed.input.data(), packed.bias.data(), to.gates, row);
  }
  void drop(std::size_t layer, int64_t step, int64_t i, Real* to) const {
    const Real* h = layers_[layer - 1].state(i);
    if (!d_.dropout_mask) return void(std::copy_n(h, d_.H, to));
    const int64_t below = static_cast<int64_t>(layer) - 1;
    const Real* mask = d_.dropout_mask + ((below * d_.N + items_.item(i)) * d_.T + step) * d_.H;
    for (int64_t j = 0; j < d_.H; ++j) to[j] = h[j] * mask[j];
  }

  void join(int64_t step) const {
    for (int64_t i = 0; i < items_.active(step); ++i) {
      std::copy_n(layers_.back().state(i), d_.H,
                  r_.joined + (items_.row(step) + i) * r_.joined_row() + d_.attention.M);
    }
  }

  // The outputs of a step, which the next one reads.
  void put_out(int64_t step, AttentionDecoderState<Real> end) {
    const int64_t count = items_.active(step), row = items_.row(step);
    unrolled::put_out(r_, packed_, row, row + count, scratch_.data(), outputs_.data());
    for (int64_t i = 0; i < count; ++i) {
      const Real* from = outputs_.data() + i * d_.H;
      std::copy_n(from, d_.H, output_ + (items_.item(i) * d_.T + step) * d_.H);
      const bool goes_on = i < items_.active(step + 1);
      std::copy_n(
          from, d_.H,
          goes_on ? r_.fed + (items_.row(step + 1) + i) * r_.fed_row : end.output + items_.item(i) * d_.H);
    }
  }

  const DecoderRows<Real>& r_;
  const AttentionDecoder<Real>& d_;
  const PackedDecoder<Real>& packed_;
  const AttentionMemory<Real>& memory_;
  DecoderItems items_;
  Real *output_, *attended_;
  Buffer<Real> outputs_, scratch_;
  std::deque<ForwardRun<Real>> layers_;
};

// Where nothing waits for the outputs they are one product.
template <class Real>
void put_out_all(const DecoderRows<Real>& r, const PackedDecoder<Real>& packed, Real* output) {
  const AttentionDecoder<Real>& d = r.d;
  const int64_t work = r.rows.count() * d.H * r.joined_size() / kMultiplyAddsPerOperation;
  parallel_runs(r.rows.count(), kRowsPerTask, work, [&](int64_t begin, int64_t end) {
    const FlushDenormals flush;
    Buffer<Real> outputs((end - begin) * d.H), scratch(packed.output.scratch_size(end - begin));
    put_out(r, packed, begin, end, scratch.data(), outputs.data());
    for (int64_t row = begin, step = r.rows.step(begin); row < end; ++row) {
      if (row == r.rows.begin(step + 1)) ++step;
      std::copy_n(outputs.data() + (row - begin) * d.H, d.H,
                  output + r.first().frame_offset(row - r.rows.begin(step), step, d.H));
    }
  });
}

}  // namespace

template <class Real>
int64_t attention_decoder_tape_size(const AttentionDecoder<Real>& decoder) {
  return DecoderRows<Real>(decoder, nullptr).size();
}

template <class Real>
void attention_decoder(const AttentionDecoder<Real>& d, const Real* x, const Real* memory,
                       AttentionDecoderState<const Real> initial, Real* output, Real* attended,
                       AttentionDecoderState<Real> end, Real* tape) {
  const DecoderRows<Real> r(d, tape);
  std::fill_n(output, d.N * d.T * d.H, Real(0));
  std::fill_n(attended, d.N * d.T * d.S, Real(0));
  copy_or_zero(d.layers * d.N * d.H, initial.h, end.h);  // an item without steps ends where it starts
  if (end.c) copy_or_zero(d.layers * d.N * d.H, initial.c, end.c);
  if (end.output) copy_or_zero(d.N * d.H, initial.output, end.output);
  const AttentionMemory<Real> held(d.N, d.S, d.memory_lengths, d.attention, memory, r.keys);
  held.project(r.keys);
  const PackedDecoder<Real> packed(r);
  input_gates(r.first(), packed.layers[0][0], x);
  for_each_decoder_run(r, [&](const DecoderItems& items) {
    const FlushDenormals flush;
    DecoderForward<Real>(r, packed, held, items, output, attended).run(initial, end);
  });
  if (r.context()) put_out_all(r, packed, output);
}

#define UNROLLED_INSTANTIATE(Real)                                                         \
  template int64_t attention_decoder_tape_size(const AttentionDecoder<Real>&);             \
  template void attention_decoder(const AttentionDecoder<Real>&, const Real*, const Real*, \
                                  AttentionDecoderState<const Real>, Real*, Real*,         \
                                  AttentionDecoderState<Real>, Real*);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
