#include <algorithm>
#include <charconv>
#include <cmath>

#include "search/ngram_arpa.h"

namespace unrolled::search {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kShown = 60;  // bytes of a line that a message quotes

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && is_space(line.back())) line.remove_suffix(1);
  while (!line.empty() && is_space(line.front())) line.remove_prefix(1);
  return line;
}

// As a message can hold it: not too long, no control characters, UTF-8.
std::string quoted(std::string_view text) {
  const bool readable = is_utf8(text);
  std::size_t size = std::min(text.size(), kShown);
  while (readable && size < text.size() && (static_cast<uint8_t>(text[size]) & 0xC0) == 0x80) --size;
  std::string quote = "'";
  for (const char c : text.substr(0, size)) {
    const uint8_t byte = static_cast<uint8_t>(c);
    quote += byte < 32 || byte == 127 || (byte > 127 && !readable) ? '?' : c;
  }
  return quote + (size < text.size() ? "...'" : "'");
}

// Takes a whole number from the front of the text; false where there is none.
bool take_whole(std::string_view& text, uint64_t& value) {
  text = trimmed(text);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace

void ArpaReader::refuse(int64_t line, const std::string& reason) const {
  throw std::invalid_argument(name_ + ", line " + std::to_string(line) + ": " + reason);
}

void ArpaReader::feed(std::string_view piece) {
  while (!piece.empty() && part_ != Part::kEnd) {
    const std::size_t end = piece.find('\n');
    if (end == std::string_view::npos) {
      rest_ += piece;
      return;
    }
    if (rest_.empty()) {
      take_line(piece.substr(0, end));
    } else {
      rest_ += piece.substr(0, end);
      const std::string line = std::move(rest_);
      rest_.clear();
      take_line(line);
    }
    piece.remove_prefix(end + 1);
  }
}

void ArpaReader::take_line(std::string_view line) {
  if (++line_ == 1 && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  line = trimmed(line);
  if (part_ == Part::kPreamble) {
    take_preamble(line);
  } else if (line.empty()) {
    return;
  } else if (line == "\\end\\") {
    close_section();
    part_ = Part::kEnd;
  } else if (line.front() == '\\') {
    take_section(line);
  } else if (part_ == Part::kCounts) {
    take_count(line);
  } else {
    take_ngram(line);
  }
}

void ArpaReader::take_preamble(std::string_view line) {
  if (line == "\\data\\") part_ = Part::kCounts;
  for (const char* const unit : {"word", "char"}) {
    if (rows_.unit.empty() && line == std::string("# unit: ") + unit) rows_.unit = unit;
  }
}

void ArpaReader::take_count(std::string_view line) {
  std::string_view text = line;
  uint64_t order = 0, ngrams = 0;
  const auto take = [&](std::string_view word) {
    text = trimmed(text);
    const bool starts = text.starts_with(word);
    if (starts) text.remove_prefix(word.size());
    return starts;
  };
  const bool sound = take("ngram") && take_whole(text, order) && take("=") && take_whole(text, ngrams);
  if (!sound || !trimmed(text).empty()) {
    refuse("expected a count such as 'ngram 1=500', found " + quoted(line));
  }
  if (order != counts_.size() + 1) {
    refuse("expected the count of " + std::to_string(counts_.size() + 1) + "-grams, found " + quoted(line));
  }
  if (order > kMaxOrder) {
    refuse("the model has n-grams of " + std::to_string(order) + " words, at most " +
           std::to_string(kMaxOrder) + " can be read");
  }
  counts_.push_back({ngrams, line_});
}

// Whether as many n-grams came as the head of the file says.
void ArpaReader::close_section() {
  if (rows_.orders.empty()) return;
  const std::size_t order = rows_.orders.size();
  const uint64_t found = static_cast<uint64_t>(rows_.orders.back().size());
  const Count& count = counts_[order - 1];
  if (found == count.ngrams) return;
  refuse("the " + std::to_string(order) + "-grams end after " + std::to_string(found) + ", but line " +
         std::to_string(count.line) + " says there are " + std::to_string(count.ngrams));
}

void ArpaReader::take_section(std::string_view line) {
  close_section();
  if (counts_.empty()) refuse("expected a count such as 'ngram 1=500', found " + quoted(line));
  const std::size_t order = rows_.orders.size() + 1;
  std::string_view text = line.substr(1);
  uint64_t found = 0;
  const bool sound = take_whole(text, found) && trimmed(text) == "-grams:";
  if (!sound || found != order || order > counts_.size()) {
    std::string expected = "\\end\\";
    if (order <= counts_.size()) expected.replace(1, 4, std::to_string(order) + "-grams:");
    refuse("expected " + expected + ", found " + quoted(line));
  }
  rows_.orders.emplace_back();
  runs_.emplace_back();
  part_ = Part::kNGrams;
}

float ArpaReader::number(std::string_view text, const char* what) const {
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  const char *begin = digits.data(), *end = begin + digits.size();
  float value = 0;
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (error == std::errc() && stop == end && !std::isnan(value)) return value;
  double fine = 0;  // which holds what is too near to 0 for a float
  const auto [fine_stop, fine_error] = std::from_chars(begin, end, fine);
  if (fine_error == std::errc() && fine_stop == end && std::fabs(fine) < 1) return 0;
  refuse(std::string("expected ") + what + ", found " + quoted(text));
}

WordId ArpaReader::word_id(std::string_view word) {
  if (rows_.orders.size() == 1) {
    if (!is_utf8(word)) {
      refuse("the word " + quoted(word) + " is not UTF-8: convert the file, for example with iconv -t utf-8");
    }
    const auto [id, is_new] = rows_.vocabulary.add(word);
    const bool unknown = id == kUnknown && !has_unknown_;
    if (!is_new && !unknown) refuse("the 1-gram " + quoted(word) + " occurs twice");
    has_unknown_ |= unknown;
    return id;
  }
  const WordId id = rows_.vocabulary.find(word);
  if (id == kUnknown && word != "<unk>" && word != "<UNK>") {
    refuse("the word " + quoted(word) + " is not among the 1-grams");
  }
  return id;
}

void ArpaReader::take_ngram(std::string_view line) {
  fields_.clear();
  for (std::string_view left = line; !left.empty(); left = trimmed(left)) {
    std::size_t end = 0;
    while (end < left.size() && !is_space(left[end])) ++end;
    fields_.push_back(left.substr(0, end));
    left.remove_prefix(end);
  }
  const std::size_t order = rows_.orders.size();
  if (fields_.size() != order + 1 && fields_.size() != order + 2) {
    refuse("expected a probability, " + std::to_string(order) +
           " words and perhaps a back-off weight, found " + std::to_string(fields_.size()) +
           " fields: " + quoted(line));
  }
  NGramRows& rows = rows_.orders.back();
  std::vector<Run>& runs = runs_.back();
  const int64_t row = rows.size();
  if (runs.empty() || line_ - row != runs.back().line - runs.back().row) runs.push_back({row, line_});
  rows.probs.push_back(number(fields_[0], "a log10 probability"));
  for (std::size_t i = 1; i <= order; ++i) rows.words.push_back(word_id(fields_[i]));
  const bool weighted = fields_.size() == order + 2;
  rows.backoffs.push_back(weighted ? number(fields_.back(), "a back-off weight") : 0.0f);
}

int64_t ArpaReader::line_of(int order, int64_t row) const {
  const std::vector<Run>& runs = runs_[static_cast<std::size_t>(order - 1)];
  std::size_t i = runs.size() - 1;
  while (runs[i].row > row) --i;
  return runs[i].line + (row - runs[i].row);
}

std::shared_ptr<const NGramImage> ArpaReader::finish() {
  if (trimmed(rest_) == "\\end\\") {
    take_line(rest_);
  } else if (!rest_.empty()) {
    ++line_;
  }
  if (part_ == Part::kPreamble) {
    throw std::invalid_argument(name_ + ": no line \\data\\ in " + std::to_string(line_) +
                                " lines: not an ARPA file");
  }
  if (part_ != Part::kEnd) {
    refuse("the file ends here, without \\end\\: it is cut");
  }
  for (std::size_t order = rows_.orders.size(); order < counts_.size(); ++order) {
    if (counts_[order].ngrams == 0) continue;
    refuse("\\end\\ comes before the " + std::to_string(order + 1) + "-grams, but line " +
           std::to_string(counts_[order].line) + " says there are " + std::to_string(counts_[order].ngrams));
  }
  try {
    return build_ngram(rows_);
  } catch (const BadNGram& bad) {
    refuse(line_of(bad.order, bad.row), bad.what());
  } catch (const std::invalid_argument& bad) {
    refuse(bad.what());
  }
}

}  // namespace unrolled::search
