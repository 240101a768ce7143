// Where a decoder's layers, queries and outputs lie in its tape: row by row as recurrent layers have them.
#pragma once

#include <deque>
#include <numeric>
#include <vector>

#include "ops/attention_decoder.h"
#include "ops/attention_memory.h"
#include "ops/recurrent_direction.h"

namespace unrolled {

// One of the layers, as a recurrent layer of one direction.
template <class Real>
struct DecoderLayer {
  RecurrentShape shape;
  RecurrentWeights<Real> weights;
  RecurrentLayer<Real> layer;
  std::vector<RecurrentDirection<Real>> direction;  // one
  Real* input = nullptr;  // (rows, input_row) from the layer below; the first has none
  int64_t input_row;

  DecoderLayer(const AttentionDecoder<Real>& d, const RecurrentRows& rows, const RecurrentWeights<Real>& own,
               int64_t features, const RecurrentTable<Real>& table, Real* tape)
      : shape{d.N, d.T, features, d.H, d.H, 1, d.lengths},
        weights(own),
        layer{shape, d.cell, &weights, nullptr, table},
        direction(recurrent_directions<Real>(layer, rows, tape)),
        input_row(padded_row<Real>(features)) {}
  DecoderLayer(const DecoderLayer&) = delete;

  const RecurrentDirection<Real>& at() const { return direction[0]; }
};

template <class Real>
class DecoderRows {
 public:
  DecoderRows(const AttentionDecoder<Real>& decoder, Real* tape)
      : d(decoder),
        rows(decoder.N, decoder.lengths),
        fed_row(context() ? joined_row() : padded_row<Real>(decoder.H)),
        weight_x_(gate_rows() * decoder.E),
        weight_fed_(decoder.E > 0 ? gate_rows() * decoder.fed() : 0) {
    if (d.E > 0 && tape) split_first_weight();
    const auto take = [&](int64_t size) {
      Real* at = tape ? tape + size_ : nullptr;
      size_ += size;
      return at;
    };
    for (int64_t i = 0; i < d.layers; ++i) add_layer(i, take);
    joined = take(rows.count() * joined_row());
    fed = context() ? joined : take(rows.count() * fed_row);
    queries = take(d.attention.query ? rows.count() * d.attention.K : 0);
    keys = take(AttentionMemory<Real>::keys_size(
        d.attention, d.N, std::accumulate(d.memory_lengths, d.memory_lengths + d.N, int64_t{0})));
  }
  DecoderRows(const DecoderRows&) = delete;

  const AttentionDecoder<Real>& d;
  RecurrentRows rows;
  std::deque<DecoderLayer<Real>> layers;
  int64_t fed_row;
  Real* joined;   // (rows, joined_row): [c; h], what an output is made of
  Real* fed;      // (rows, fed_row): what the first layer reads besides x; with `context` that is c
  Real* queries;  // (rows, K), where the score projects them
  Real* keys;

  int64_t size() const { return size_; }
  bool context() const { return d.feeding == AttentionFeeding::context; }
  int64_t joined_size() const { return d.attention.M + d.H; }
  int64_t joined_row() const { return padded_row<Real>(joined_size()); }
  const RecurrentDirection<Real>& first() const { return layers.front().at(); }
  const RecurrentDirection<Real>& top() const { return layers.back().at(); }
  // The states that ask, (rows, H): of the step before, or of the same step.
  MatrixView<Real> asking(int64_t row, int64_t count) const {
    if (context()) return {top().before + row * top().operand_row, count, d.H, top().operand_row, 1};
    return {joined + row * joined_row() + d.attention.M, count, d.H, joined_row(), 1};
  }
  // As the memory is asked.
  const Real* query(int64_t row) const {
    return d.attention.query ? queries + row * d.attention.K : asking(row, 1).data;
  }
  const Real* weight_fed() const { return d.E > 0 ? weight_fed_.data() : d.weights[0].weight_ih; }

 private:
  int64_t gate_rows() const { return d.cell.gates * d.H; }

  template <class Take>
  void add_layer(int64_t i, const Take& take) {
    RecurrentWeights<Real> own = d.weights[i];
    if (i == 0) own.weight_ih = weight_x_.data();
    const int64_t features = i == 0 ? d.E : d.H;
    const RecurrentTable<Real> table = i == 0 ? d.table : RecurrentTable<Real>{};
    const int64_t size = DecoderLayer<Real>(d, rows, own, features, table, nullptr).at().tape_size();
    layers.emplace_back(d, rows, own, features, table, take(size));
    if (i > 0) layers.back().input = take(rows.count() * layers.back().input_row);
  }

  // The columns for x and for what is fed, each as a weight of its own.
  void split_first_weight() {
    const int64_t E = d.E, F = d.fed();
    for (int64_t i = 0; i < gate_rows(); ++i) {
      const Real* from = d.weights[0].weight_ih + i * (E + F);
      std::copy_n(from, E, weight_x_.data() + i * E);
      std::copy_n(from + E, F, weight_fed_.data() + i * F);
    }
  }

  Buffer<Real> weight_x_, weight_fed_;
  int64_t size_ = 0;
};

// Of the items at places first .. last, as each of their steps takes them.
struct DecoderItems {
  const RecurrentRows& rows;
  int64_t first, last;

  int64_t active(int64_t step) const {
    return std::max(std::min(rows.active(step), last) - first, int64_t{0});
  }
  int64_t row(int64_t step) const { return rows.begin(step) + first; }
  int64_t item(int64_t i) const { return rows.item(first + i); }
  int64_t steps() const {
    int64_t step = 0;
    while (active(step) > 0) ++step;
    return step;
  }
};

// Runs of items for the threads; no bit depends on the cut.
template <class Real, class Task>
void for_each_decoder_run(const DecoderRows<Real>& r, const Task& task) {
  const std::vector<int64_t> cut = r.rows.cut(get_num_threads());
  const auto runs = static_cast<int64_t>(cut.size()) - 1;
  const int64_t products = r.d.layers * r.first().gates.columns * (2 * r.d.H) / kMultiplyAddsPerOperation;
  parallel_for(runs, r.rows.count() * (products + r.d.S * r.d.attention.K), [&](int64_t i) {
    const auto run = static_cast<std::size_t>(i);
    task(DecoderItems{r.rows, cut[run], cut[run + 1]});
  });
}

}  // namespace unrolled
