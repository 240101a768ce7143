// What a language model, a lexicon and hotwords add to the prefixes of a search. The bonus of a prefix
// depends on its tokens alone, so a search may multiply it into the mass of the prefix.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace unrolled::search {

struct FiredPhrase {
  int32_t phrase;      // its place in the list of hotwords
  int32_t first, end;  // the tokens that it covers: [first, end)
};

struct FusionScores {
  double lm = 0;  // natural logarithm, not weighted
  int64_t units = 0;
  double hotwords = 0;  // with the credit of unfinished phrases where the prefix is not finished
  std::vector<FiredPhrase> fired;
};

// Of one utterance: owns the states of its prefixes, one state a prefix. For one thread at a time.
class FusionRun {
 public:
  virtual ~FusionRun() = default;

  // The state of the empty prefix.
  virtual uint32_t start() = 0;
  // What tokens[i] adds to the score of the prefix states[i]: a natural logarithm, -inf where the token is
  // not allowed there. Best called once a frame with all pairs: models in Python are called once a call.
  virtual void weigh(std::span<const uint32_t> states, std::span<const int32_t> tokens,
                     double* log_weights) = 0;
  // The state of the longer prefix, for a token that is allowed; call it once for each prefix.
  virtual uint32_t advance(uint32_t state, int32_t token) = 0;
  // What the end of the text adds (the last word, </s>, credit taken back); -inf where the text cannot end.
  virtual void finish(std::span<const uint32_t> states, double* log_weights) = 0;

  // No token adds more than this: it prunes pairs before they are weighed.
  virtual double upper_bound() const = 0;
  // The same for each class.
  virtual std::span<const double> upper_bounds() const = 0;
  // 1 for each class whose weight may differ from 0; the others need not be weighed.
  virtual std::span<const uint8_t> weighted() const = 0;
  // The part of the score that is taken back if the phrase that the prefix has begun breaks off. Pruning by
  // distance compares with the best prefix without it.
  virtual double open_credit(uint32_t state) const = 0;
  // Whether any state has such credit.
  virtual bool gives_credit() const = 0;

  virtual FusionScores scores(uint32_t state, bool finished) const = 0;
  // Forgets all states but these; their new numbers are written in place.
  virtual void retain(std::span<uint32_t> states) = 0;
};

// Immutable, shared by threads.
class Fusion {
 public:
  virtual ~Fusion() = default;
  virtual std::unique_ptr<FusionRun> run() const = 0;
  // Its runs call Python: hold the GIL, and use one thread.
  virtual bool needs_python() const = 0;
  virtual int64_t classes() const = 0;
};

}  // namespace unrolled::search
