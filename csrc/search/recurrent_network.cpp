#include "search/recurrent_network.h"

#include <algorithm>
#include <numeric>

#include "denormals.h"
#include "parallel.h"

namespace unrolled::search {
namespace {

constexpr int64_t kRowsAtOnce = 48;  // their gates stay in the second-level cache beside the weights

int64_t widest(const std::deque<StepLayer>& layers, int64_t (StepLayer::*size)() const) {
  int64_t most = 0;
  for (const StepLayer& layer : layers) most = std::max(most, (layer.*size)());
  return most;
}

}  // namespace

// The rows of one step, of which a block is at work.
struct RecurrentNetwork::Rows {
  const StepMemory* memory;
  int64_t count;
  const int32_t *tokens, *items;
  const float* before;
  float *after, *logits, *attention;
};

// Scratch for a block of rows.
class RecurrentNetwork::Work {
 public:
  Work(const RecurrentNetwork& network, int64_t rows, int64_t positions)
      : states(rows, widest(network.layers_, &StepLayer::features)), data_(rows * sizes(network, positions)) {
    const int64_t columns = widest(network.layers_, &StepLayer::gate_columns);
    gates = data_.data();
    sums = gates + rows * columns;
    weights = sums + rows * columns;
    embedded = weights + rows * positions;
    hidden = embedded + rows * network.input_->scratch();
    joined = hidden + rows * network.output_.scratch();
    query = joined + rows * network.joined_size();
    output = query + rows * (network.attention_ ? network.attention_->query_columns() : 0);
  }

  StepScratch states;
  float *gates, *sums, *weights, *embedded, *hidden, *joined, *query, *output;

 private:
  static int64_t sizes(const RecurrentNetwork& network, int64_t positions) {
    const int64_t all = 2 * widest(network.layers_, &StepLayer::gate_columns) + positions +
                        network.input_->scratch() + network.output_.scratch() + network.joined_size();
    if (!network.attention_) return all;
    return all + network.attention_->query_columns() + network.combined_->outputs();
  }

  Buffer<float> data_;
};

RecurrentNetwork::RecurrentNetwork(const CellKernels<float>& cell, const EmbeddingWeights& embedding,
                                   const std::vector<StepWeights>& layers,
                                   const std::optional<DecoderWeights>& decoder,
                                   const std::vector<LinearWeights>& output)
    : kernels_(kernels<float>()),
      feeding_(decoder ? decoder->feeding : Feeding::none),
      fed_(0),
      combined_bias_(decoder ? decoder->output.outputs : 0),
      output_(decoder ? decoder->output.outputs : layers.back().P, output) {
  for (const StepWeights& weights : layers) {
    layers_.emplace_back(cell, weights, layers_.empty() ? embedding.size : weights.inputs);
    offsets_.push_back(fed_);
    fed_ += layers_.back().state_size();
  }
  input_.emplace(embedding, layers_.front());
  if (decoder) add_decoder(*decoder);
}

void RecurrentNetwork::add_decoder(const DecoderWeights& decoder) {
  attention_.emplace(decoder.attention);
  const int64_t joined = joined_size(), outputs = decoder.output.outputs;
  combined_.emplace(outputs, joined, decoder.output.weight, joined, nullptr);
  std::fill_n(combined_bias_.data(), outputs, 0.0f);
  if (decoder.output.bias) std::copy_n(decoder.output.bias, outputs, combined_bias_.data());
}

void RecurrentNetwork::step(const StepMemory* memory, int64_t rows, const int32_t* tokens,
                            const int32_t* items, const float* before, float* after, float* logits,
                            float* attention) const {
  if (rows == 0) return;
  const FlushDenormals flush;
  const int64_t S = memory ? memory->positions() : 0, V = this->tokens();
  Work work(*this, std::min(rows, kRowsAtOnce), S);
  for (int64_t i = 0; i < rows; i += kRowsAtOnce) {
    step_rows({.memory = memory,
               .count = std::min(kRowsAtOnce, rows - i),
               .tokens = tokens + i,
               .items = items + i,
               .before = before + i * state_size(),
               .after = after + i * state_size(),
               .logits = logits + i * V,
               .attention = attention ? attention + i * S : nullptr},
              work);
  }
}

// Some items side by side, the longest first: those that still run are the first rows.
class RecurrentNetwork::Reading {
 public:
  Reading(const RecurrentNetwork& network, int64_t items, const int64_t* order)
      : network_(network),
        items_(items),
        order_(order),
        size_(network.state_size()),
        work_(network, items, 0),
        states_(2 * items * size_),
        tokens_(items) {}

  void run(int64_t T, const int32_t* tokens, const int64_t* lengths, float* states, float* frames) {
    const int64_t P = network_.frame_size();
    float *before = states_.data(), *after = before + items_ * size_;
    for (int64_t i = 0; i < items_; ++i) {
      std::copy_n(states + order_[i] * size_, size_, before + i * size_);
      if (frames) std::fill_n(frames + order_[i] * T * P, T * P, 0.0f);
    }
    for (int64_t t = 0; t < T && lengths[order_[0]] > t; ++t, std::swap(before, after)) {
      int64_t rows = 0;
      for (; rows < items_ && lengths[order_[rows]] > t; ++rows) tokens_[rows] = tokens[order_[rows] * T + t];
      network_.step_layers({.memory = nullptr,
                            .count = rows,
                            .tokens = tokens_.data(),
                            .items = nullptr,
                            .before = before,
                            .after = after,
                            .logits = nullptr,
                            .attention = nullptr},
                           work_);
      for (int64_t i = 0; i < rows; ++i) {
        const float* state = after + i * size_;
        if (frames) std::copy_n(state + network_.offsets_.back(), P, frames + (order_[i] * T + t) * P);
        if (lengths[order_[i]] == t + 1) std::copy_n(state, size_, states + order_[i] * size_);
      }
    }
  }

 private:
  const RecurrentNetwork& network_;
  int64_t items_;
  const int64_t* order_;
  int64_t size_;
  Work work_;
  Buffer<float> states_;
  Buffer<int32_t> tokens_;
};

void RecurrentNetwork::read(int64_t items, int64_t T, const int32_t* tokens, const int64_t* lengths,
                            float* states, float* frames) const {
  std::vector<int64_t> order(static_cast<std::size_t>(items));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return lengths[a] > lengths[b]; });
  const int64_t work = items * T * static_cast<int64_t>(layers_.size()) * layers_.back().gate_columns();
  parallel_runs(items, kRowsAtOnce, work, [&](int64_t begin, int64_t end) {
    const FlushDenormals flush;
    Reading(*this, end - begin, order.data() + begin).run(T, tokens, lengths, states, frames);
  });
}

void RecurrentNetwork::step_rows(const Rows& rows, Work& work) const {
  step_layers(rows, work);
  const float* top = rows.after + offsets_.back();
  int64_t row = state_size();
  if (attention_) {
    top = combine(rows, work);
    row = combined_->outputs();
  }
  output_.run(rows.count, top, row, rows.logits, work.hidden);
}

// The contexts that the top layer's states ask for, to the first part of `joined`.
void RecurrentNetwork::attend(const Rows& rows, const float* states, Work& work) const {
  attention_->attend(*rows.memory, rows.count, rows.items, states + offsets_.back(), state_size(),
                     rows.attention ? rows.attention : work.weights, work.joined, joined_size(), work.query);
}

void RecurrentNetwork::step_layers(const Rows& rows, Work& work) const {
  GatePanels<float> gates = layers_.front().panels(rows.count, work.gates);
  input_->read(layers_.front(), rows.count, rows.tokens, gates, work.embedded);
  if (feeding_ == Feeding::input)
    layers_.front().add_rest(rows.count, rows.before + fed_, state_size(), gates, work.sums);
  if (feeding_ == Feeding::context) {
    attend(rows, rows.before, work);
    layers_.front().add_rest(rows.count, work.joined, joined_size(), gates, work.sums);
  }
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (i > 0) {
      gates = layers_[i].panels(rows.count, work.gates);
      layers_[i].project(rows.count, rows.after + offsets_[i - 1], state_size(), gates);
    }
    layers_[i].step(rows.count, gates, rows.before + offsets_[i], rows.after + offsets_[i], state_size(),
                    work.states);
  }
}

// o = tanh(W [context; h] + b).
const float* RecurrentNetwork::combine(const Rows& rows, Work& work) const {
  if (feeding_ != Feeding::context) attend(rows, rows.after, work);
  const int64_t H = layers_.back().outputs(), O = combined_->outputs(), M = memory_size();
  for (int64_t i = 0; i < rows.count; ++i)
    std::copy_n(rows.after + i * state_size() + offsets_.back(), H, work.joined + i * joined_size() + M);
  combined_->run(rows.count, work.joined, joined_size(), work.output, O);
  for (int64_t i = 0; i < rows.count; ++i) {
    kernels_.attention.tanh_bias(O, combined_bias_.data(), work.output + i * O);
    if (feeding_ == Feeding::input) std::copy_n(work.output + i * O, O, rows.after + i * state_size() + fed_);
  }
  return work.output;
}

}  // namespace unrolled::search
