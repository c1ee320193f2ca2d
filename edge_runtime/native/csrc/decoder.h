// decoder.h: applies a DecodeSpec to a batch of head tensors in one pass. All memory is allocated once.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "candidates.h"
#include "decode.h"
#include "kept.h"
#include "scan.h"
#include "undo.h"

namespace edge {

struct Description {
  Rule rule{};                // its priors point to those below
  std::vector<float> priors;  // (P, 4)
  std::vector<Level> levels;  // their anchors point to those below
  std::vector<std::vector<std::array<float, 2>>> anchors;
  bool nms = true;
  int num_tensors = 0;
};

class Decoder {
 public:
  // Throws std::invalid_argument if the description contradicts itself.
  explicit Decoder(Description description);
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  int num_classes() const { return spec_.rule.num_classes; }

  // The number of elements per image that each tensor must have at least. run() reads no others.
  const std::vector<int64_t>& required() const { return required_; }

  // boxes (batch, limits.max_det, 6): x1, y1, x2, y2 in image pixels, score, class; counts (batch,).
  void run(const Tensor* tensors, int batch, const Frame* frames, const Limits& limits, float* boxes, int32_t* counts);

 private:
  int select(const Tensor* tensors, int image, const Frame& frame, const Limits& limits, float* rows);

  Description spec_;
  std::vector<int64_t> required_;
  Scan scan_;
  Candidates candidates_;
  Kept kept_;
};

}  // namespace edge
