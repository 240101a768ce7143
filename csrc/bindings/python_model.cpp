#include "bindings/python_model.h"

#include <cmath>

#include "bindings/arrays.h"

namespace unrolled {
namespace {

using search::UnitQuery;

constexpr double kRounding = 1e-3;  // by which sums of probabilities may be above 1

[[noreturn]] void complain(const std::string& found) { throw py::value_error("lm." + found); }

std::string unit_of(const std::vector<UnitQuery>& queries, std::size_t i) {
  return ", unit " + py::repr(py::str(queries[i].unit)).cast<std::string>();
}

// (n,) numbers from whatever array the model returned.
Array<double> as_log_probs(const py::object& found, std::size_t n, const char* method) {
  const auto array = Array<double>::ensure(found);
  if (!array) throw py::error_already_set();
  if (array.ndim() == 1 && array.shape(0) == static_cast<py::ssize_t>(n)) return array;
  complain(std::string(method) + " must return " + std::to_string(n) +
           " log probabilities, one for each state, got an array of shape " +
           py::repr(array.attr("shape")).cast<std::string>());
}

class PythonModel final : public search::UnitModel {
 public:
  PythonModel(py::object model, double upper_bound) : model_(std::move(model)), upper_bound_(upper_bound) {}

  uint32_t start() override {
    states_.assign(1, model_.attr("start")());
    return 0;
  }

  void score(std::vector<UnitQuery>& queries) override {
    const std::size_t n = queries.size();
    py::list states(n), units(n);
    for (std::size_t i = 0; i < n; ++i) {
      states[i] = states_[queries[i].state];
      units[i] = py::str(queries[i].unit);
    }
    const py::object found = model_.attr("score")(states, units);
    if (!py::isinstance<py::sequence>(found) || py::len(found) != 2)
      complain("score must return a pair: log probabilities and states, got " +
               py::repr(py::type::of(found)).cast<std::string>());
    const auto pair = found.cast<py::sequence>();
    const Array<double> log_probs = as_log_probs(pair[0], n, "score");
    const py::list next(pair[1]);
    if (next.size() != n)
      complain("score must return " + std::to_string(n) + " states, got " + std::to_string(next.size()));
    for (std::size_t i = 0; i < n; ++i) {
      queries[i].log_probability = checked(log_probs.data()[i], "score", i, unit_of(queries, i));
      queries[i].next = static_cast<uint32_t>(states_.size());
      states_.push_back(next[i]);
    }
  }

  std::vector<double> finish(std::span<const uint32_t> states) override {
    py::list last(states.size());
    for (std::size_t i = 0; i < states.size(); ++i) last[i] = states_[states[i]];
    const Array<double> found = as_log_probs(model_.attr("finish")(last), states.size(), "finish");
    std::vector<double> log_probs;
    for (std::size_t i = 0; i < states.size(); ++i)
      log_probs.push_back(checked(found.data()[i], "finish", i, ""));
    return log_probs;
  }

  void retain(std::span<const uint32_t> kept) override { search::keep(states_, kept); }

 private:
  double checked(double log_prob, const char* method, std::size_t i, const std::string& what) const {
    if (log_prob <= upper_bound_ + kRounding) return log_prob;
    complain(std::string(method) + ": log probability " + std::to_string(i) + what + " is " +
             py::repr(py::float_(log_prob)).cast<std::string>() +
             "; natural logarithms of probabilities are needed, at most " +
             py::repr(py::float_(upper_bound_)).cast<std::string>() + " (the model's upper_bound)");
  }

  py::object model_;
  double upper_bound_;
  std::vector<py::object> states_;
};

class PythonModelSource final : public search::UnitModelSource {
 public:
  PythonModelSource(py::object model, double upper_bound)
      : model_(std::move(model)), upper_bound_(upper_bound) {}

  std::unique_ptr<search::UnitModel> run() const override {
    return std::make_unique<PythonModel>(model_, upper_bound_);
  }
  double upper_bound() const override { return upper_bound_ + kRounding; }
  bool needs_python() const override { return true; }

 private:
  py::object model_;
  double upper_bound_;
};

}  // namespace

std::shared_ptr<const search::UnitModelSource> make_python_model(py::object model, double upper_bound) {
  return std::make_shared<PythonModelSource>(std::move(model), upper_bound);
}

}  // namespace unrolled
