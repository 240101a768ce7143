#include "search/window_network.h"

#include <algorithm>

#include "denormals.h"

namespace unrolled::search {
namespace {

constexpr int64_t kRowsAtOnce = 48;
constexpr int64_t kTableBytes = 32 << 20;  // beyond this its rows come from memory, weights from a cache

// (outputs, inputs, width) -> (outputs, width * inputs): as a window lies in memory.
Buffer<float> by_place(const WindowWeights& w, int64_t inputs) {
  Buffer<float> turned(w.outputs * w.width * inputs);
  for (int64_t o = 0; o < w.outputs; ++o) {
    for (int64_t i = 0; i < inputs; ++i) {
      for (int64_t k = 0; k < w.width; ++k)
        turned[(o * w.width + k) * inputs + i] = w.weight[(o * inputs + i) * w.width + k];
    }
  }
  return turned;
}

}  // namespace

// Scratch for a block of rows.
class WindowNetwork::Work {
 public:
  Work(const WindowNetwork& network, int64_t rows)
      : ids(network.layers_.front().width),
        data_(rows * (window(network) + 2 * widest(network) + network.output_.scratch())) {
    windows = data_.data();
    x = windows + rows * window(network);
    y = x + rows * widest(network);
    hidden = y + rows * widest(network);
  }

  Buffer<int64_t> ids;
  float *windows, *x, *y, *hidden;

 private:
  static int64_t window(const WindowNetwork& network) {
    int64_t most = 0;
    for (const Layer& layer : network.layers_) most = std::max(most, layer.width * layer.inputs);
    return most;
  }
  static int64_t widest(const WindowNetwork& network) {
    int64_t most = 0;
    for (const Layer& layer : network.layers_) most = std::max(most, layer.outputs);
    return most;
  }

  Buffer<float> data_;
};

WindowNetwork::WindowNetwork(const EmbeddingWeights& embedding, const std::vector<WindowWeights>& layers,
                             WindowActivation activation, const std::vector<LinearWeights>& output)
    : kernels_(kernels<float>()),
      activation_(activation),
      tokens_(embedding.tokens),
      embedding_size_(embedding.size),
      output_(layers.back().outputs, output) {
  for (const WindowWeights& weights : layers)
    add_layer(weights, layers_.empty() ? embedding.size : layers_.back().outputs);
  const Layer& first = layers_.front();
  if (tokens_ * first.width * first.outputs * static_cast<int64_t>(sizeof(float)) <= kTableBytes) {
    make_table(embedding, first, by_place(layers.front(), embedding.size).data());
    return;
  }
  embedding_.emplace(tokens_ * embedding.size);
  std::copy_n(embedding.weight, tokens_ * embedding.size, embedding_->data());
}

void WindowNetwork::add_layer(const WindowWeights& w, int64_t inputs) {
  const Buffer<float> weight = by_place(w, inputs);
  const int64_t depth = w.width * inputs, kept = layers_.empty() ? 1 : inputs;
  layers_.push_back({inputs, w.outputs, w.width, state_size_, std::nullopt, Buffer<float>(w.outputs)});
  Layer& layer = layers_.back();
  layer.product.emplace(w.outputs, depth, weight.data(), depth, nullptr);
  std::fill_n(layer.bias.data(), w.outputs, 0.0f);
  if (w.bias) std::copy_n(w.bias, w.outputs, layer.bias.data());
  reach_ += w.width - 1;
  state_size_ += (w.width - 1) * kept;
}

void WindowNetwork::make_table(const EmbeddingWeights& embedding, const Layer& first, const float* weight) {
  const int64_t E = embedding.size, O = first.outputs;
  table_.emplace(first.width * tokens_ * O);
  for (int64_t k = 0; k < first.width; ++k) {
    const StepProduct place(O, E, weight + k * E, first.width * E, nullptr);
    place.run(tokens_, embedding.weight, E, table_->data() + k * tokens_ * O, O);
  }
}

void WindowNetwork::step(int64_t rows, const int32_t* tokens, const float* before, float* after,
                         float* logits) const {
  if (rows == 0) return;
  const FlushDenormals flush;
  Work work(*this, std::min(rows, kRowsAtOnce));
  for (int64_t i = 0; i < rows; i += kRowsAtOnce) {
    step_rows(std::min(kRowsAtOnce, rows - i), tokens + i, before + i * state_size_, after + i * state_size_,
              logits ? logits + i * tokens_ : nullptr, work);
  }
}

void WindowNetwork::step_rows(int64_t rows, const int32_t* tokens, const float* before, float* after,
                              float* logits, Work& work) const {
  const float* x = read_tokens(rows, tokens, before, after, work);
  for (std::size_t i = 1; i < layers_.size(); ++i) {
    run_layer(layers_[i], rows, x, before, after, work.windows, work.y);
    std::swap(work.x, work.y);
    x = work.x;
  }
  if (logits) output_.run(rows, x, layers_.back().outputs, logits, work.hidden);
}

// The first layer: its state is the tokens themselves, which are small enough to be exact as floats.
const float* WindowNetwork::read_tokens(int64_t rows, const int32_t* tokens, const float* before,
                                        float* after, Work& work) const {
  const Layer& first = layers_.front();
  const int64_t W = first.width, E = embedding_size_;
  int64_t* ids = work.ids.data();
  for (int64_t i = 0; i < rows; ++i) {
    const float* past = before + i * state_size_;
    for (int64_t k = 0; k + 1 < W; ++k) ids[k] = static_cast<int64_t>(past[k]);
    ids[W - 1] = tokens[i];
    for (int64_t k = 0; k + 1 < W; ++k) after[i * state_size_ + k] = static_cast<float>(ids[k + 1]);
    if (table_) {
      for (int64_t k = 0; k < W; ++k) ids[k] += k * tokens_;
      kernels_.embedding.sum_rows(W, ids, first.outputs, table_->data(), work.x + i * first.outputs);
      continue;
    }
    for (int64_t k = 0; k < W; ++k)
      std::copy_n(embedding_->data() + ids[k] * E, E, work.windows + (i * W + k) * E);
  }
  if (!table_) first.product->run(rows, work.windows, W * E, work.x, first.outputs);
  activate(first, rows, work.x);
  return work.x;
}

// A window is what the state keeps, and x (rows, inputs) behind it.
void WindowNetwork::run_layer(const Layer& layer, int64_t rows, const float* x, const float* before,
                              float* after, float* windows, float* y) const {
  const int64_t inputs = layer.inputs, depth = layer.width * inputs, kept = depth - inputs;
  for (int64_t i = 0; i < rows; ++i) {
    float* window = windows + i * depth;
    std::copy_n(before + i * state_size_ + layer.offset, kept, window);
    std::copy_n(x + i * inputs, inputs, window + kept);
    std::copy_n(window + inputs, kept, after + i * state_size_ + layer.offset);
  }
  layer.product->run(rows, windows, depth, y, layer.outputs);
  activate(layer, rows, y);
}

void WindowNetwork::activate(const Layer& layer, int64_t rows, float* y) const {
  for (int64_t i = 0; i < rows; ++i, y += layer.outputs) {
    if (activation_ == WindowActivation::tanh) {
      kernels_.attention.tanh_bias(layer.outputs, layer.bias.data(), y);
    } else {
      for (int64_t j = 0; j < layer.outputs; ++j) y[j] = std::max(y[j] + layer.bias[j], 0.0f);
    }
  }
}

}  // namespace unrolled::search
