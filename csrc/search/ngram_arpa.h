// Models as text: the ARPA format, as SRILM, KenLM, CMU Sphinx and others write it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "search/ngram_builder.h"

namespace unrolled::search {

// Takes a file in pieces of any size. Every error is a std::invalid_argument with the name, the number of the
// line and what was found there.
class ArpaReader {
 public:
  // The unit is what the file's own line '# unit: ...' says, where there is one and none is given.
  ArpaReader(std::string name, std::string unit) : name_(std::move(name)) { rows_.unit = std::move(unit); }

  void feed(std::string_view piece);
  // After the last piece.
  std::shared_ptr<const NGramImage> finish();

 private:
  enum class Part { kPreamble, kCounts, kNGrams, kEnd };

  void take_line(std::string_view line);
  void take_preamble(std::string_view line);
  void take_count(std::string_view line);
  void take_section(std::string_view line);
  void take_ngram(std::string_view line);
  WordId word_id(std::string_view word);
  float number(std::string_view text, const char* what) const;
  void close_section();
  int64_t line_of(int order, int64_t row) const;
  [[noreturn]] void refuse(int64_t line, const std::string& reason) const;
  [[noreturn]] void refuse(const std::string& reason) const { refuse(line_, reason); }

  struct Count {
    uint64_t ngrams;
    int64_t line;
  };
  // From this row on, rows stand on consecutive lines.
  struct Run {
    int64_t row, line;
  };

  std::string name_, rest_;  // the rest of a piece that ends within a line
  int64_t line_ = 0;
  Part part_ = Part::kPreamble;
  bool has_unknown_ = false;
  std::vector<Count> counts_;
  std::vector<std::vector<Run>> runs_;
  std::vector<std::string_view> fields_;
  NGramRowsByOrder rows_;
};

// Gives a file in pieces: 1-grams in the order of their numbers, longer ones sorted by their words' numbers.
// What it writes reads back as the same model.
class ArpaWriter {
 public:
  // Throws std::invalid_argument for models that do not keep the words of their n-grams.
  explicit ArpaWriter(std::shared_ptr<const NGramImage> image);

  // At least so many bytes, in whole lines; fewer at the end, and none behind it.
  std::string next(std::size_t bytes);

 private:
  uint64_t ngrams(int n) const;
  void write_head(std::string& text) const;
  const NGramWeights* find(const WordId* words) const;
  void write_ngram(std::string& text) const;

  std::shared_ptr<const NGramImage> image_;
  int n_ = 0;
  uint64_t row_ = 0;
};

}  // namespace unrolled::search
