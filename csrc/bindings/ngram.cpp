// N-gram models as Python holds them: shared, immutable, asked without the GIL.
#include <memory>
#include <span>

#include "bindings/arrays.h"
#include "bindings/register.h"
#include "search/ngram_arpa.h"
#include "search/ngram_files.h"
#include "search/ngram_image.h"
#include "search/ngram_sentences.h"

namespace unrolled {
namespace {

using search::NGram;
using search::NGramState;
using search::Sentence;
using search::SentenceEnds;
using Model = std::shared_ptr<NGram>;

constexpr std::size_t kPiece = std::size_t{1} << 20;

Model model_of(std::shared_ptr<const search::NGramImage> image) {
  return std::make_shared<NGram>(std::move(image));
}

// An ARPA file in pieces: whatever Python's readers of files, of gzip too, give.
Model read_arpa(const py::iterable& pieces, const std::string& name, const std::string& unit) {
  search::ArpaReader reader(name, unit);
  for (const py::handle piece : pieces) {
    const std::string_view view = piece.cast<std::string_view>();
    const py::gil_scoped_release release;
    reader.feed(view);
  }
  const py::gil_scoped_release release;
  return model_of(reader.finish());
}

Model load(const std::string& path, const std::string& unit, bool check) {
  const py::gil_scoped_release release;
  return model_of(search::load_binary(path, check, unit));
}

search::NGramRows rows_of(const py::tuple& table, std::size_t n, std::size_t words) {
  require(table.size() == 3, "a table must be (ids, log10 probabilities, back-off weights)");
  const auto ids = table[0].cast<Array<uint32_t>>();
  const auto probs = table[1].cast<Array<float>>();
  const auto backoffs = table[2].cast<Array<float>>();
  const py::ssize_t rows = ids.shape(0);
  require_shape(ids, {rows, static_cast<int64_t>(n)},
                "the ids of n-grams must have the shape (n-grams, order)");
  require_shape(probs, {rows}, "a table must have one log10 probability an n-gram");
  require_shape(backoffs, {rows}, "a table must have one back-off weight an n-gram");
  for (py::ssize_t i = 0; i < ids.size(); ++i) {
    require(ids.data()[i] < words, "an n-gram holds an id that is no word's");
  }
  return {{ids.data(), ids.data() + ids.size()},
          {probs.data(), probs.data() + rows},
          {backoffs.data(), backoffs.data() + rows}};
}

Model from_tables(const std::vector<std::string>& words, const std::vector<py::tuple>& tables,
                  const std::string& unit) {
  require(!words.empty() && words[0] == "<unk>", "the first word must be <unk>");
  search::NGramRowsByOrder rows;
  rows.unit = unit;
  for (std::size_t i = 1; i < words.size(); ++i) {
    require(rows.vocabulary.add(words[i]).second, "every word must be there once");
  }
  for (std::size_t i = 0; i < tables.size(); ++i)
    rows.orders.push_back(rows_of(tables[i], i + 1, words.size()));
  const py::gil_scoped_release release;
  return model_of(search::build_ngram(rows));
}

py::list vocabulary(const NGram& model) {
  py::list words;
  for (int64_t id = 0; id < model.words(); ++id) {
    const std::string_view word = model.word(static_cast<search::WordId>(id));
    words.append(py::str(word.data(), word.size()));
  }
  return words;
}

std::string_view text_of(py::handle text) {
  if (!py::isinstance<py::str>(text)) throw py::type_error("a sentence must be a str or a sequence of str");
  return text.cast<std::string_view>();
}

// The words are views of strings that `owner` holds.
struct HeldSentence {
  py::object owner;
  Sentence words;
};

HeldSentence sentence_of(const py::handle sentence) {
  if (py::isinstance<py::str>(sentence)) {
    return {py::reinterpret_borrow<py::object>(sentence), {{}, text_of(sentence)}};
  }
  const auto tokens = py::tuple(py::reinterpret_borrow<py::object>(sentence));
  HeldSentence held{tokens, {}};
  for (const py::handle token : tokens) held.words.tokens.push_back(text_of(token));
  return held;
}

py::tuple score(const NGram& model, const py::object& sentence, bool bos, bool eos) {
  const HeldSentence held = sentence_of(sentence);
  int64_t tokens = 0;
  const double sum = search::score(model, held.words, {bos, eos}, &tokens);
  return py::make_tuple(sum, tokens);
}

py::list full_scores(const NGram& model, const py::object& sentence, bool bos, bool eos) {
  const HeldSentence held = sentence_of(sentence);
  py::list scores;
  for (const search::WordScore& word : search::full_scores(model, held.words, {bos, eos})) {
    scores.append(py::make_tuple(word.log_prob, word.length, word.unknown));
  }
  return scores;
}

Array<double> score_batch(const NGram& model, const py::list& sentences, bool bos, bool eos) {
  std::vector<py::object> owners;
  std::vector<Sentence> words;
  for (const py::handle sentence : sentences) {
    HeldSentence held = sentence_of(sentence);
    owners.push_back(std::move(held.owner));
    words.push_back(std::move(held.words));
  }
  auto scores = make_array<double>({std::ssize(words)});
  double* out = scores.mutable_data();
  const py::gil_scoped_release release;
  search::score_batch(model, words, {bos, eos}, out);
  return scores;
}

py::tuple step(const NGram& model, const NGramState& state, std::string_view word) {
  NGramState next;
  const double log_prob = model.score(state, model.find(word), next);
  return py::make_tuple(log_prob, next);
}

py::tuple full_step(const NGram& model, const NGramState& state, std::string_view word) {
  NGramState next;
  int length = 0;
  const search::WordId id = model.find(word);
  const double log_prob = model.score(state, id, next, &length);
  return py::make_tuple(log_prob, next, length, id == search::kUnknown);
}

py::tuple state_words(const NGramState& state) {
  py::tuple words(state.length);
  for (uint32_t i = 0; i < state.length; ++i) words[i] = state.words[i];
  return words;
}

std::string state_text(const NGramState& state) {
  return "NGramState(words=" + py::repr(state_words(state)).cast<std::string>() + ")";
}

// The bytes of a model's own format, without a copy.
py::memoryview image(const NGram& model) {
  const std::span<const char> bytes = model.image().bytes();
  return py::memoryview::from_memory(bytes.data(), std::ssize(bytes));
}

class ArpaPieces {
 public:
  explicit ArpaPieces(const NGram& model) : writer_(model.shared_image()) {}

  py::bytes next() {
    std::string piece;
    {
      const py::gil_scoped_release release;
      piece = writer_.next(kPiece);
    }
    if (piece.empty()) throw py::stop_iteration();
    return py::bytes(piece);
  }

 private:
  search::ArpaWriter writer_;
};

void register_state(py::module_& m) {
  py::class_<NGramState>(m, "NGramState")
      .def(py::init<>())
      .def_property_readonly("words", &state_words)
      .def("__repr__", &state_text)
      .def("__eq__", [](const NGramState& a, const NGramState& b) { return a == b; })
      .def("__hash__", [](const NGramState& state) { return search::NGramStateHash{}(state); });
}

}  // namespace

void register_ngram(py::module_& m) {
  register_state(m);
  py::class_<ArpaPieces>(m, "ArpaPieces")
      .def("__iter__", [](py::object self) { return self; })
      .def("__next__", &ArpaPieces::next);
  py::class_<NGram, Model>(m, "NGram")
      .def_static("load", &load, "path"_a, "unit"_a, "check"_a)
      .def_static("read_arpa", &read_arpa, "pieces"_a, "name"_a, "unit"_a)
      .def_static("from_tables", &from_tables, "words"_a, "tables"_a, "unit"_a)
      .def_property_readonly("order", &NGram::order)
      .def_property_readonly("unit", &NGram::unit)
      .def_property_readonly("words", &NGram::words)
      .def_property_readonly("counts", &NGram::counts)
      .def_property_readonly("has_unknown", &NGram::has_unknown)
      .def_property_readonly("begin_word", &NGram::begin_word)
      .def_property_readonly("end_word", &NGram::end_word)
      .def_property_readonly("upper_bound", &NGram::upper_bound)
      .def("find", &NGram::find, "word"_a)
      .def("vocabulary", &vocabulary)
      .def("begin", &NGram::begin)
      .def("empty", &NGram::empty)
      .def("step", &step, "state"_a, "word"_a)
      .def("full_step", &full_step, "state"_a, "word"_a)
      .def("score", &score, "sentence"_a, "bos"_a, "eos"_a)
      .def("full_scores", &full_scores, "sentence"_a, "bos"_a, "eos"_a)
      .def("score_batch", &score_batch, "sentences"_a, "bos"_a, "eos"_a)
      .def("image", &image, py::keep_alive<0, 1>())
      .def("arpa", [](const NGram& model) { return ArpaPieces(model); });
}

}  // namespace unrolled
