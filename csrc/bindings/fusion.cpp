#include "search/fusion.h"

#include <algorithm>

#include "bindings/arrays.h"
#include "bindings/python_model.h"
#include "bindings/register.h"
#include "search/fusion_model.h"
#include "search/fusion_ngram.h"
#include "search/fusion_part.h"
#include "search/hotwords.h"
#include "search/lexicon.h"
#include "search/step_unit_model.h"

namespace unrolled {
namespace {

using search::Fusion;
using search::FusionLabels;
using search::FusionScores;
using search::FusionSource;
using search::LabelUnits;
using search::LanguageWeights;
using search::Sequences;

typedef std::shared_ptr<FusionSource> Source;

std::vector<uint8_t> flags_of(const Array<bool>& flags) {
  return {flags.data(), flags.data() + flags.size()};
}

FusionLabels make_labels(std::vector<std::string> texts, const Array<bool>& starts_word,
                         const Array<bool>& ends_word) {
  const auto classes = static_cast<int64_t>(texts.size());
  require_shape(starts_word, {classes}, "starts_word must be (C)");
  require_shape(ends_word, {classes}, "ends_word must be (C)");
  return {std::move(texts), flags_of(starts_word), flags_of(ends_word)};
}

Sequences make_sequences(const Array<int32_t>& values, const Array<int64_t>& offsets) {
  require(values.ndim() == 1 && offsets.ndim() == 1 && offsets.size() > 0, "sequences must be 1-D arrays");
  Sequences made{{values.data(), values.data() + values.size()},
                 {offsets.data(), offsets.data() + offsets.size()}};
  require(made.offsets.front() == 0 && made.offsets.back() == values.size() &&
              std::is_sorted(made.offsets.begin(), made.offsets.end()),
          "offsets must rise from 0 to the number of values");
  return made;
}

LabelUnits make_units(std::vector<std::vector<std::string>> units, const Array<bool>& leading_space) {
  require_shape(leading_space, {static_cast<int64_t>(units.size())}, "leading_space must be (C)");
  const bool* leading = leading_space.data();
  for (std::size_t c = 0; c < units.size(); ++c)
    require(!leading[c] || !units[c].empty(), "a class without units has no leading space");
  return {std::move(units), flags_of(leading_space)};
}

Source make_hotwords_source(const Sequences& labels, const Sequences& phrases, std::vector<double> weights) {
  require(phrases.size() == static_cast<int64_t>(weights.size()), "there must be a weight for each phrase");
  for (int64_t i = 0; i < phrases.size(); ++i) {
    const auto symbols = phrases[i];
    require(std::any_of(symbols.begin(), symbols.end(), [](int32_t s) { return s != search::kWordBoundary; }),
            "phrases must not be empty");
  }
  return search::make_hotwords({labels, phrases, std::move(weights)});
}

Source make_lexicon_source(const FusionLabels& labels, const Sequences& letters, const Sequences& words,
                           const Sequences& spellings) {
  require(letters.size() == labels.classes(), "there must be letters of each class");
  return search::make_lexicon(labels, {letters, words, spellings});
}

Source make_word_ngram_source(const FusionLabels& labels, std::shared_ptr<search::NGram> model,
                              const LanguageWeights& weights) {
  return search::make_word_ngram(labels, std::move(model), weights);
}

Source make_label_ngram_source(const LabelUnits& units, std::shared_ptr<search::NGram> model,
                               const LanguageWeights& weights) {
  return search::make_label_ngram(units, std::move(model), weights);
}

// Units and their tokens, with -1 for what is not there.
search::UnitTokens make_unit_tokens(const std::vector<std::string>& units, const std::vector<int32_t>& tokens,
                                    int32_t unknown, int32_t first, int32_t end) {
  require(units.size() == tokens.size(), "there must be a token for each unit");
  search::UnitTokens made{{}, unknown, first, end};
  for (std::size_t i = 0; i < units.size(); ++i) made.tokens.emplace(units[i], tokens[i]);
  return made;
}

std::shared_ptr<const search::UnitModelSource> step_units(std::shared_ptr<search::StepModel> model,
                                                          const search::UnitTokens& units) {
  const auto is_token = [&](int32_t token) { return token >= 0 && token < model->tokens(); };
  const auto is_token_or_none = [&](int32_t token) { return token == -1 || is_token(token); };
  require(model->items() > 0, "the model continues nothing");
  require(is_token(units.first) && is_token_or_none(units.unknown) && is_token_or_none(units.end),
          "first, unknown and end must be tokens of the model");
  for (const auto& [unit, token] : units.tokens)
    require(is_token(token), "units must be tokens of the model");
  return search::make_step_unit_model(std::move(model), units);
}

std::shared_ptr<Fusion> make_fusion(int64_t classes, const std::vector<Source>& sources) {
  require(classes > 0, "classes must be at least 1");
  return search::combine(classes, {sources.begin(), sources.end()});
}

py::tuple tuple_of(const FusionScores& scores) {
  py::list fired;
  for (const auto& f : scores.fired) fired.append(py::make_tuple(f.phrase, f.first, f.end));
  return py::make_tuple(scores.lm, scores.units, scores.hotwords, fired);
}

// What a text is given, token by token: (weights (L), credits (L) that may be taken back, weight of the end,
// scores before and after the end); weights behind a token that is not allowed are not a number.
py::tuple follow(const Fusion& fusion, const Array<int32_t>& tokens) {
  require(tokens.ndim() == 1, "tokens must be (L)");
  const int64_t length = tokens.size(), classes = fusion.classes();
  Array<double> weights = make_array<double>({length}), credits = make_array<double>({length});
  std::fill_n(weights.mutable_data(), length, std::numeric_limits<double>::quiet_NaN());
  std::fill_n(credits.mutable_data(), length, 0.0);
  const auto run = fusion.run();
  uint32_t state = run->start();
  double end = 0;
  for (int64_t i = 0; i < length; ++i) {
    const int32_t token = tokens.data()[i];
    require(token >= 0 && token < classes, "tokens must be classes");
    double& weight = weights.mutable_data()[i];
    run->weigh({&state, 1}, {&token, 1}, &weight);
    if (weight == search::kForbidden) return py::make_tuple(weights, credits, weight, py::none(), py::none());
    state = run->advance(state, token);
    credits.mutable_data()[i] = run->open_credit(state);
  }
  run->finish({&state, 1}, &end);
  return py::make_tuple(weights, credits, end, tuple_of(run->scores(state, false)),
                        tuple_of(run->scores(state, true)));
}

void register_sources(py::module_& m) {
  py::class_<FusionLabels>(m, "FusionLabels")
      .def(py::init(&make_labels), "texts"_a, "starts_word"_a.noconvert(), "ends_word"_a.noconvert());
  py::class_<Sequences>(m, "Sequences")
      .def(py::init(&make_sequences), "values"_a.noconvert(), "offsets"_a.noconvert());
  py::class_<LabelUnits>(m, "LabelUnits")
      .def(py::init(&make_units), "units"_a, "leading_space"_a.noconvert());
  py::class_<LanguageWeights>(m, "LanguageWeights")
      .def(py::init<double, double, double, bool>(), "lm"_a, "unit"_a, "unknown"_a, "scores_end"_a);
  py::class_<FusionSource, Source>(m, "FusionSource");
  m.def("fuse_hotwords", &make_hotwords_source, "labels"_a, "phrases"_a, "weights"_a);
  m.def("fuse_lexicon", &make_lexicon_source, "labels"_a, "letters"_a, "words"_a, "spellings"_a);
  m.def("fuse_word_ngram", &make_word_ngram_source, "labels"_a, "model"_a, "weights"_a);
  m.def("fuse_label_ngram", &make_label_ngram_source, "units"_a, "model"_a, "weights"_a);
  m.def(
      "fuse_word_model",
      [](const FusionLabels& labels, py::object model, double upper_bound, const LanguageWeights& weights) {
        return search::make_word_model(labels, make_python_model(std::move(model), upper_bound), weights);
      },
      "labels"_a, "model"_a, "upper_bound"_a, "weights"_a);
  m.def(
      "fuse_label_model",
      [](const LabelUnits& units, py::object model, double upper_bound, const LanguageWeights& weights) {
        return search::make_label_model(units, make_python_model(std::move(model), upper_bound), weights);
      },
      "units"_a, "model"_a, "upper_bound"_a, "weights"_a);
  py::class_<search::UnitTokens>(m, "UnitTokens")
      .def(py::init(&make_unit_tokens), "units"_a, "tokens"_a, "unknown"_a, "first"_a, "end"_a);
  m.def(
      "fuse_word_steps",
      [](const FusionLabels& labels, std::shared_ptr<search::StepModel> model,
         const search::UnitTokens& units, const LanguageWeights& weights) {
        return search::make_word_model(labels, step_units(std::move(model), units), weights);
      },
      "labels"_a, "model"_a, "units"_a, "weights"_a);
  m.def(
      "fuse_label_steps",
      [](const LabelUnits& labels, std::shared_ptr<search::StepModel> model, const search::UnitTokens& units,
         const LanguageWeights& weights) {
        return search::make_label_model(labels, step_units(std::move(model), units), weights);
      },
      "labels"_a, "model"_a, "units"_a, "weights"_a);
}

}  // namespace

void register_fusion(py::module_& m) {
  register_sources(m);
  py::class_<Fusion, std::shared_ptr<Fusion>>(m, "Fusion")
      .def(py::init(&make_fusion), "classes"_a, "sources"_a)
      .def_property_readonly("classes", &Fusion::classes)
      .def_property_readonly("needs_python", &Fusion::needs_python)
      .def("follow", &follow, "tokens"_a.noconvert());
}

}  // namespace unrolled
