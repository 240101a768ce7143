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
  explicit ArpaReader(std::string name) : name_(std::move(name)) {}

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
  std::vector<Count> counts_;
  std::vector<std::vector<Run>> runs_;
  std::vector<std::string_view> fields_;
  NGramRowsByOrder rows_;
};

}  // namespace unrolled::search
