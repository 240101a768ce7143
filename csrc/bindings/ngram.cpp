// Models as Python holds them: shared, immutable.
#include "search/ngram.h"

#include <fstream>

#include "bindings/arrays.h"
#include "bindings/register.h"
#include "search/ngram_arpa.h"
#include "search/ngram_image.h"

namespace unrolled {
namespace {

using search::NGram;
using Model = std::shared_ptr<const NGram>;

Model model_of(std::shared_ptr<const search::NGramImage> image) {
  return std::make_shared<const NGram>(std::move(image));
}

// An ARPA file in pieces: whatever Python's own readers of files, gzip too, give.
Model read_arpa(const py::iterator& pieces, const std::string& name) {
  search::ArpaReader reader(name);
  for (const py::handle piece : pieces) {
    const auto bytes = py::reinterpret_borrow<py::bytes>(piece);
    const std::string_view view = bytes;
    const py::gil_scoped_release release;
    reader.feed(view);
  }
  const py::gil_scoped_release release;
  return model_of(reader.finish());
}

}  // namespace

void register_ngram(py::module_& m) {
  py::class_<NGram, std::shared_ptr<NGram>>(m, "NGram")
      .def_static("read_arpa", &read_arpa, "pieces"_a, "name"_a)
      .def_property_readonly("order", &NGram::order);
}

}  // namespace unrolled
