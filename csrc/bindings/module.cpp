// The extension module: every family of functions registers itself.
#include <pybind11/pybind11.h>

#include "bindings/register.h"

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
  m.doc() = "The compiled core of unrolled: checked arrays in, new arrays out.";
  unrolled::register_runtime(m);
  unrolled::register_activation(m);
  unrolled::register_align(m);
  unrolled::register_attention(m);
  unrolled::register_attention_decoder(m);
  unrolled::register_conv(m);
  unrolled::register_ctc(m);
  unrolled::register_edit_distance(m);
  unrolled::register_embedding(m);
  unrolled::register_ngram(m);
  unrolled::register_ngram_training(m);
  unrolled::register_fusion(m);
  unrolled::register_decode(m);
  unrolled::register_loss(m);
  unrolled::register_matmul(m);
  unrolled::register_norm(m);
  unrolled::register_optim(m);
  unrolled::register_path_entropy(m);
  unrolled::register_pool(m);
  unrolled::register_recurrent(m);
  unrolled::register_softmax(m);
  unrolled::register_step_model(m);
  unrolled::register_generate(m);
  unrolled::register_upsample(m);
}
