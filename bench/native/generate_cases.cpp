#include <numeric>

#include "case.h"
#include "dispatch.h"
#include "ops/generate.h"
#include "search/recurrent_step_model.h"

namespace unrolled_bench {
namespace {

using namespace unrolled::search;

constexpr int64_t kPositions = 10;  // of a memory, as many as a word has letters
constexpr int64_t kPlaces = 20;     // written for each item

// A GRU that reads its own tokens; with attention it also reads what it put out.
struct Problem {
  int64_t V, H, layers;
  bool attends;

  std::string name() const {
    return label("gru V", V, " H", H, layers > 1 ? label(" layers ", layers) : "",
                 attends ? " general attention" : "");
  }
  // Weights that a step reads: the first layer's input is looked up, or read besides with attention.
  double weights() const {
    const int64_t square = H * H, inputs = layers - 1 + (attends ? 1 : 0);
    return as_double(3 * square * (layers + inputs) + (attends ? 3 * square : 0) + V * H);
  }
};

struct Network {
  explicit Network(const Problem& p)
      : embedding(random_array(p.V * p.H)),
        ih(random_array(6 * p.H * p.H, 0.05f)),
        hh(random_array(3 * p.H * p.H, 0.05f)),
        joined(random_array(3 * p.H * p.H, 0.05f)),
        output(random_array(p.V * p.H, 0.05f)),
        made(std::make_shared<RecurrentNetwork>(
            unrolled::kernels<float>().gru, EmbeddingWeights{p.V, p.H, embedding.data()}, layers(p),
            decoder(p), std::vector<LinearWeights>{{p.V, output.data(), nullptr}})) {}

  std::vector<StepWeights> layers(const Problem& p) const {
    const StepWeights layer = {p.H, p.H, p.H, ih.data(), hh.data(), nullptr, nullptr, nullptr, nullptr};
    std::vector<StepWeights> all(static_cast<std::size_t>(p.layers), layer);
    if (p.attends) all.front().inputs = 2 * p.H;
    return all;
  }
  std::optional<DecoderWeights> decoder(const Problem& p) const {
    if (!p.attends) return std::nullopt;
    const AttentionWeights attention = {AttentionScore::general,       p.H,    p.H, 0, nullptr,
                                        joined.data() + 2 * p.H * p.H, nullptr};
    return DecoderWeights{attention, Feeding::input, {p.H, joined.data(), nullptr}};
  }

  Array embedding, ih, hh, joined, output;
  std::shared_ptr<const RecurrentNetwork> made;
};

std::shared_ptr<RecurrentStepModel> make_model(const Problem& p, int64_t items) {
  const Network network(p);
  const Array start = zeros(items * network.made->state_size());
  const Array memory = random_array(p.attends ? items * kPositions * p.H : 0);
  const std::vector<int64_t> lengths(static_cast<std::size_t>(items), kPositions);
  return std::make_shared<RecurrentStepModel>(network.made, items, start.data(), p.attends ? kPositions : 0,
                                              p.attends ? memory.data() : nullptr,
                                              p.attends ? lengths.data() : nullptr);
}

// Rows of the first items, one each.
Call step(const Problem& p, int64_t rows) {
  std::vector<int32_t> tokens(static_cast<std::size_t>(rows)), items(tokens.size());
  std::iota(items.begin(), items.end(), 0);
  for (int64_t i = 0; i < rows; ++i) tokens[static_cast<std::size_t>(i)] = static_cast<int32_t>(i % p.V);
  const auto model = make_model(p, rows);
  const int64_t size = model->state_size();
  return [=, before = random_array(rows * size), after = zeros(rows * size), logits = zeros(rows * p.V),
          attention = zeros(rows * kPositions)] {
    model->step(rows, tokens.data(), items.data(), before.data(), after.data(), logits.data(),
                p.attends ? attention.data() : nullptr);
  };
}

Call read(const Problem& p, int64_t items, int64_t T) {
  const Network network(p);
  std::vector<int32_t> tokens(static_cast<std::size_t>(items * T));
  for (std::size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<int32_t>(i % static_cast<std::size_t>(p.V));
  const std::vector<int64_t> lengths(static_cast<std::size_t>(items), T);
  return [=, made = network.made, states = zeros(items * network.made->state_size())] {
    made->read(items, T, tokens.data(), lengths.data(), states.data(), nullptr);
  };
}

// No sequence ends before its last place.
Call write(const Problem& p, int64_t items, int64_t beams) {
  const GenerationSettings settings = {.max_new_tokens = kPlaces,
                                       .min_new_tokens = 0,
                                       .num_beams = beams,
                                       .num_return_sequences = 1,
                                       .do_sample = false,
                                       .temperature = 1,
                                       .top_k = 0,
                                       .top_p = 1,
                                       .length_penalty = 1,
                                       .early_stopping = EarlyStopping::kHeuristic,
                                       .early_termination = false,
                                       .no_repeat_ngram_size = 0,
                                       .repetition_penalty = 1,
                                       .seed = 0,
                                       .keep_beams = false,
                                       .eos = -1};
  const std::vector<int32_t> prompts(static_cast<std::size_t>(items));
  const std::vector<int64_t> none(static_cast<std::size_t>(items + 1));
  std::vector<int64_t> offsets(none.size());
  std::iota(offsets.begin(), offsets.end(), 0);
  return [=, model = make_model(p, items)] {
    const GenerationInputs inputs = {
        prompts.data(), offsets.data(), none.data(), nullptr, none.data(), nullptr, 0, 0, 0};
    unrolled::Interrupt interrupt;
    unrolled::generate(*model, settings, inputs, interrupt);
  };
}

}  // namespace

void add_generate_cases(Cases& cases) {
  for (const Problem& p :
       {Problem{74, 256, 1, false}, Problem{65, 320, 2, false}, Problem{40, 384, 1, true}}) {
    const Work weights{.bytes = 4 * p.weights()};
    cases.push_back({"step model, 1 row " + p.name(), weights, [=] { return step(p, 1); }, true});
    for (const int64_t rows : {8, 64}) {
      const Work products{.flops = 2 * as_double(rows) * p.weights()};
      cases.push_back(
          {label("step model, ", rows, " rows ") + p.name(), products, [=] { return step(p, rows); }, true});
    }
    for (const int64_t items : {1, 256}) {
      for (const int64_t beams : {1, 8}) {
        const Work tokens{.items = as_double(items * beams * kPlaces)};
        cases.push_back(
            {label("generate, ", items, items > 1 ? " items" : " item", ", beams ", beams, " ") + p.name(),
             tokens, [=] { return write(p, items, beams); }, items == 1});
      }
    }
  }
  const Problem p = {29, 256, 1, false};
  cases.push_back({"read tokens T8 " + p.name(), {.items = 8}, [=] { return read(p, 1, 8); }, true});
  cases.push_back({"read tokens N256 T8 " + p.name(), {.items = 2048}, [=] { return read(p, 256, 8); }});
}

}  // namespace unrolled_bench
