#include "ops/generate.h"

#include <algorithm>
#include <optional>

#include "bindings/register.h"
#include "bindings/signals.h"

namespace unrolled {
namespace {

using search::GenerationInputs;
using search::GenerationSettings;
using search::StepModel;
using search::TokenNode;
using search::WrittenItem;
using search::WrittenSequence;

template <class To, class From>
Array<To> array_of(const From* from, std::size_t count) {
  Array<To> array = make_array<To>({static_cast<int64_t>(count)});
  std::copy_n(from, count, array.mutable_data());
  return array;
}

// (ids without <eos>, log_probs, attention or None, score, ended, node)
py::tuple tuple_of(const WrittenSequence& written, int64_t S) {
  const std::size_t ids = written.tokens.size() - (written.ended ? 1 : 0);
  MaybeArray<float> attention;
  if (S > 0) {
    attention = make_array<float>({static_cast<int64_t>(written.tokens.size()), S});
    std::copy(written.attention.begin(), written.attention.end(), attention->mutable_data());
  }
  return py::make_tuple(array_of<int64_t>(written.tokens.data(), ids),
                        array_of<float>(written.log_probs.data(), written.log_probs.size()), attention,
                        written.score, written.ended, written.node);
}

// (parent, token, log_prob, total), or None
py::object tree_of(const std::vector<TokenNode>& nodes) {
  if (nodes.empty()) return py::none();
  const auto n = static_cast<int64_t>(nodes.size());
  Array<int64_t> parent = make_array<int64_t>({n}), token = make_array<int64_t>({n});
  Array<float> log_prob = make_array<float>({n});
  Array<double> total = make_array<double>({n});
  for (int64_t i = 0; i < n; ++i) {
    const TokenNode& node = nodes[static_cast<std::size_t>(i)];
    parent.mutable_data()[i] = node.parent;
    token.mutable_data()[i] = node.token;
    log_prob.mutable_data()[i] = node.log_prob;
    total.mutable_data()[i] = node.total;
  }
  return py::make_tuple(parent, token, log_prob, total);
}

void require_sequences(const Array<int32_t>& ids, const Array<int64_t>& offsets, int64_t items, int64_t V) {
  require_shape(ids, {ids.size()}, "ids must have one axis");
  require_shape(offsets, {items + 1}, "offsets must be (items + 1)");
  const int64_t* at = offsets.data();
  require(at[0] == 0 && at[items] == ids.size() && std::is_sorted(at, at + items + 1),
          "offsets must rise from 0 to the number of ids");
  require(std::all_of(ids.data(), ids.data() + ids.size(), [V](int32_t id) { return id >= 0 && id < V; }),
          "ids must lie in 0 .. tokens - 1");
}

void require_read(const Array<int64_t>& read, const Array<int64_t>& offsets, int64_t items) {
  require_shape(read, {items}, "read must be (items)");
  for (int64_t i = 0; i < items; ++i) {
    require(read.at(i) >= 0 && read.at(i) < offsets.at(i + 1) - offsets.at(i),
            "read must leave a token of each prompt");
  }
}

void require_prefixes(const Array<int64_t>& offsets, int64_t items, int64_t most) {
  for (int64_t i = 0; i < items; ++i) {
    require(offsets.at(i + 1) - offsets.at(i) <= most, "prefixes must not be longer than max_new_tokens");
  }
}

void allow(const MaybeArray<bool>& allowed, const StepModel& model, int64_t places, GenerationInputs& to) {
  if (!allowed) return;
  constexpr const char* kShapes = "allowed must be (V), (items, V) or (items, max_new_tokens, V)";
  const int64_t V = model.tokens(), items = model.items();
  to.allowed = allowed->data();
  if (allowed->ndim() == 3) {
    require_shape(*allowed, {items, places, V}, kShapes);
    to.allowed_item_stride = places * V;
    to.allowed_place_stride = V;
  } else if (allowed->ndim() == 2) {
    require_shape(*allowed, {items, V}, kShapes);
    to.allowed_item_stride = V;
  } else {
    require_shape(*allowed, {V}, kShapes);
  }
}

void require_settings(const GenerationSettings& s, int64_t V) {
  require(s.max_new_tokens >= 1 && s.max_new_tokens <= INT32_MAX, "max_new_tokens must be at least 1");
  require(s.num_beams >= 1 && s.num_return_sequences >= 1, "num_beams must be at least 1");
  require(s.num_beams == 1 || s.num_return_sequences <= s.num_beams,
          "num_return_sequences must be at most num_beams");
  require(s.num_beams == 1 || !s.do_sample, "beams are not drawn");
  require(s.temperature >= 0 && s.top_k >= 0 && s.top_p >= 0, "temperature must not be negative");
  require(s.repetition_penalty > 0, "repetition_penalty must be above 0");
  require(s.no_repeat_ngram_size >= 0, "no_repeat_ngram_size must not be negative");
  require(s.eos >= -1 && s.eos < V, "eos must be one of the tokens, or -1");
}

py::list generate_items(const StepModel& model, const GenerationSettings& settings,
                        const Array<int32_t>& prompts, const Array<int64_t>& prompt_offsets,
                        const Array<int64_t>& read, const Array<int32_t>& prefixes,
                        const Array<int64_t>& prefix_offsets, const MaybeArray<bool>& allowed,
                        int64_t first_item) {
  const int64_t items = model.items(), V = model.tokens();
  require_settings(settings, V);
  require_sequences(prompts, prompt_offsets, items, V);
  require_read(read, prompt_offsets, items);
  require_sequences(prefixes, prefix_offsets, items, V);
  require_prefixes(prefix_offsets, items, settings.max_new_tokens);
  require(first_item >= 0, "first_item must not be negative");
  GenerationInputs inputs{prompts.data(),
                          prompt_offsets.data(),
                          read.data(),
                          prefixes.data(),
                          prefix_offsets.data(),
                          nullptr,
                          0,
                          0,
                          first_item};
  allow(allowed, model, settings.max_new_tokens, inputs);
  std::vector<WrittenItem> written;
  {
    std::optional<py::gil_scoped_release> release;
    if (!model.needs_python()) release.emplace();
    Interrupt interrupt(check_signals);
    written = generate(model, settings, inputs, interrupt);
  }
  py::list found;
  for (const WrittenItem& item : written) {
    py::list sequences;
    for (const WrittenSequence& one : item.sequences) sequences.append(tuple_of(one, model.attended()));
    found.append(py::make_tuple(sequences, tree_of(item.tree)));
  }
  return found;
}

GenerationSettings make_settings(int64_t max_new_tokens, int64_t min_new_tokens, int64_t num_beams,
                                 int64_t num_return_sequences, bool do_sample, double temperature,
                                 int64_t top_k, double top_p, double length_penalty, int early_stopping,
                                 bool early_termination, int64_t no_repeat_ngram_size,
                                 double repetition_penalty, uint64_t seed, bool keep_beams, int32_t eos) {
  require(early_stopping >= 0 && early_stopping <= 2, "early_stopping must be 0, 1 or 2");
  return {max_new_tokens,
          min_new_tokens,
          num_beams,
          num_return_sequences,
          do_sample,
          temperature,
          top_k,
          top_p,
          length_penalty,
          static_cast<search::EarlyStopping>(early_stopping),
          early_termination,
          no_repeat_ngram_size,
          repetition_penalty,
          seed,
          keep_beams,
          eos};
}

}  // namespace

void register_generate(py::module_& m) {
  py::class_<GenerationSettings>(m, "GenerationSettings")
      .def(py::init(&make_settings), py::kw_only(), "max_new_tokens"_a, "min_new_tokens"_a, "num_beams"_a,
           "num_return_sequences"_a, "do_sample"_a, "temperature"_a, "top_k"_a, "top_p"_a, "length_penalty"_a,
           "early_stopping"_a, "early_termination"_a, "no_repeat_ngram_size"_a, "repetition_penalty"_a,
           "seed"_a, "keep_beams"_a, "eos"_a);
  m.def("generate", &generate_items, "model"_a, "settings"_a, "prompts"_a.noconvert(),
        "prompt_offsets"_a.noconvert(), "read"_a.noconvert(), "prefixes"_a.noconvert(),
        "prefix_offsets"_a.noconvert(), "allowed"_a.noconvert().none(true), "first_item"_a);
}

}  // namespace unrolled
