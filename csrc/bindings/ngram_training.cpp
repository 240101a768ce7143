// Counting n-grams of Python's texts, and estimating models from the counts.
#include <algorithm>
#include <cmath>
#include <memory>
#include <unordered_map>

#include "bindings/register.h"
#include "bindings/signals.h"
#include "search/ngram_counts.h"
#include "search/ngram_estimate.h"
#include "search/ngram_prune.h"
#include "search/ngram_vocabulary.h"

namespace unrolled {
namespace {

using namespace search;

struct Levels {
  explicit Levels(std::vector<NGramLevel> levels) : orders(std::move(levels)) {}
  std::vector<NGramLevel> orders;
};

// Breaks the files that the model is written to: their columns stand between white space.
bool breaks_words(Py_UCS4 character) { return character == 0 || Py_UNICODE_ISSPACE(character); }

// Lines as files give them end in a line feed.
Py_ssize_t length_without_end(const py::handle& line) {
  Py_ssize_t length = PyUnicode_GET_LENGTH(line.ptr());
  const auto last = [&] { return PyUnicode_READ_CHAR(line.ptr(), length - 1); };
  while (length > 0 && (last() == '\n' || last() == '\r')) --length;
  return length;
}

std::string_view utf8_of(const py::handle& text) {
  Py_ssize_t bytes = 0;
  const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &bytes);
  if (data == nullptr) throw py::error_already_set();
  return {data, static_cast<std::size_t>(bytes)};
}

std::string shown(const py::handle& object) { return py::repr(object).cast<std::string>(); }

class TextCounter {
 public:
  explicit TextCounter(int order) : counter_(order), word_counts_(3) {
    vocabulary_.add("<s>");
    vocabulary_.add("</s>");
  }

  void add_words(const py::list& sentences) {
    for (const py::handle sentence : sentences) {
      sentence_.assign(1, kBeginWord);
      for (const py::handle token : sentence) sentence_.push_back(word_of(token));
      count_sentence();
    }
  }

  // The characters of each line are its words.
  void add_characters(const py::list& lines) {
    for (const py::handle line : lines) {
      if (!PyUnicode_Check(line.ptr())) throw py::type_error("expected a text (str), got " + shown(line));
      sentence_.assign(1, kBeginWord);
      const Py_ssize_t length = length_without_end(line);
      for (Py_ssize_t i = 0; i < length; ++i)
        sentence_.push_back(character_word(PyUnicode_READ_CHAR(line.ptr(), i)));
      count_sentence();
    }
  }

  uint64_t sentences() const { return counter_.sentences(); }

  std::vector<std::string> words() const {
    std::vector<std::string> words;
    for (WordId id = 0; id < vocabulary_.size(); ++id) words.emplace_back(vocabulary_.view().word(id));
    return words;
  }

  Array<int64_t> word_counts() const {
    Array<int64_t> counts = make_array<int64_t>({static_cast<int64_t>(word_counts_.size())});
    std::copy(word_counts_.begin(), word_counts_.end(), counts.mutable_data());
    return counts;
  }

  std::unique_ptr<Levels> levels(const Array<uint32_t>& ids, uint32_t words) const {
    require_shape(ids, {static_cast<int64_t>(vocabulary_.size())}, "ids must have one number for each word");
    const std::span<const WordId> span(ids.data(), static_cast<std::size_t>(ids.size()));
    for (const WordId id : span) require(id < words, "ids must be below words");
    const py::gil_scoped_release release;
    Interrupt interrupt(check_signals);
    return std::make_unique<Levels>(counter_.levels(span, words, interrupt));
  }

 private:
  WordId word_of(const py::handle& token) {
    if (!PyUnicode_Check(token.ptr())) throw py::type_error("expected a token (str), got " + shown(token));
    const auto [id, is_new] = vocabulary_.add(utf8_of(token));
    if (id == kBeginWord || id == kEndWord)
      throw py::value_error(shown(token) +
                            " stands for the sentence's own border; leave it out, it is added");
    if (is_new) check_new(token);
    return id;
  }

  void check_new(const py::handle& token) {
    const Py_ssize_t length = PyUnicode_GET_LENGTH(token.ptr());
    if (length == 0) throw py::value_error("a token is empty; leave it out");
    for (Py_ssize_t i = 0; i < length; ++i) {
      if (breaks_words(PyUnicode_READ_CHAR(token.ptr(), i)))
        throw py::value_error("the token " + shown(token) +
                              " has white space in it; split it, or write \"<space>\" for a space alone");
    }
  }

  WordId character_word(Py_UCS4 character) {
    const auto [entry, is_new] = characters_.try_emplace(character);
    if (is_new) {
      const py::object text =
          py::reinterpret_steal<py::object>(PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, &character, 1));
      entry->second = vocabulary_.add(breaks_words(character) ? "<space>" : utf8_of(text)).first;
    }
    return entry->second;
  }

  void count_sentence() {
    sentence_.push_back(kEndWord);
    word_counts_.resize(vocabulary_.size());
    for (std::size_t i = 1; i < sentence_.size(); ++i) ++word_counts_[sentence_[i]];
    counter_.add(sentence_);
  }

  VocabularyBuilder vocabulary_;
  NGramCounter counter_;
  std::vector<uint64_t> word_counts_;
  std::unordered_map<Py_UCS4, WordId> characters_;
  std::vector<WordId> sentence_;
};

Array<int64_t> counts_of_counts_array(const Levels& levels, bool continuations) {
  Array<int64_t> numbers = make_array<int64_t>({static_cast<int64_t>(levels.orders.size()), 4});
  int64_t* to = numbers.mutable_data();
  for (const NGramLevel& level : levels.orders) {
    const auto of_level = counts_of_counts(continuations ? level.continuations : level.occurrences);
    to = std::copy(of_level.begin(), of_level.end(), to);
  }
  return numbers;
}

Smoothing smoothing_of(const std::string& name) {
  if (name == "discount") return Smoothing::kDiscount;
  if (name == "witten-bell") return Smoothing::kWittenBell;
  require(name == "add-k", "smoothing must be discount, witten-bell or add-k");
  return Smoothing::kAdd;
}

// The rows that are kept: words (n, order), log10 probabilities (n), log10 back-off weights (n).
py::tuple table_of(const NGramLevel& level, const NGramEstimates& estimates) {
  const int order = level.index.order();
  const int64_t n = std::count(estimates.kept.begin(), estimates.kept.end(), 1);
  Array<uint32_t> ids = make_array<uint32_t>({n, order});
  Array<double> probs = make_array<double>({n}), backoffs = make_array<double>({n});
  uint32_t* id = ids.mutable_data();
  double *prob = probs.mutable_data(), *backoff = backoffs.mutable_data();
  for (uint32_t row = 0; row < level.size(); ++row) {
    if (!estimates.kept[row]) continue;
    id = std::copy_n(level.index.words(row), order, id);
    *prob++ = std::log10(estimates.probs[row]);
    *backoff++ = std::log10(estimates.backoffs[row]);
  }
  return py::make_tuple(ids, probs, backoffs);
}

py::list estimate_tables(const Levels& counted, const std::string& smoothing, bool continuations,
                         std::vector<std::array<double, 3>> discounts, double added,
                         std::vector<uint64_t> cutoffs, double entropy) {
  const std::vector<NGramLevel>& levels = counted.orders;
  require(discounts.size() == levels.size() && cutoffs.size() == levels.size(),
          "discounts and cutoffs must have one entry for each order");
  const EstimateOptions options{smoothing_of(smoothing), continuations, std::move(discounts), added,
                                std::move(cutoffs)};
  std::vector<NGramEstimates> estimates;
  {
    const py::gil_scoped_release release;
    Interrupt interrupt(check_signals);
    estimates = estimate(levels, options, interrupt);
    if (entropy > 0) prune_by_entropy(levels, entropy, estimates, interrupt);
  }
  py::list tables;
  for (std::size_t k = 0; k < levels.size(); ++k) tables.append(table_of(levels[k], estimates[k]));
  return tables;
}

}  // namespace

void register_ngram_training(py::module_& m) {
  py::class_<Levels>(m, "NGramLevels")
      .def("sizes",
           [](const Levels& levels) {
             std::vector<int64_t> sizes;
             for (const NGramLevel& level : levels.orders) sizes.push_back(level.size());
             return sizes;
           })
      .def("counts_of_counts", &counts_of_counts_array, "continuations"_a)
      .def("estimate", &estimate_tables, "smoothing"_a, "continuations"_a, "discounts"_a, "added"_a,
           "cutoffs"_a, "entropy"_a);
  py::class_<TextCounter>(m, "NGramCounter")
      .def(py::init<int>(), "order"_a)
      .def("add_words", &TextCounter::add_words, "sentences"_a)
      .def("add_characters", &TextCounter::add_characters, "lines"_a)
      .def_property_readonly("sentences", &TextCounter::sentences)
      .def("words", &TextCounter::words)
      .def("word_counts", &TextCounter::word_counts)
      .def("levels", &TextCounter::levels, "ids"_a.noconvert(), "words"_a);
}

}  // namespace unrolled
