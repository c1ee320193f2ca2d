// scan.h: finds the candidates of one image.
//
// The order is level, anchor, cell, class. A candidate passes if its score is finite and above conf. Cheap tests on raw
// values, objectness first, only drop candidates that cannot pass; the score itself decides. If objectness^power is not
// above conf, no class of the cell passes.
// A box is reported under the class of its largest raw value, the first if several are equal. With `multi_label` it is
// reported under every class that passes. Masked classes are never reported, but take part in a softmax. NaN never
// passes.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "candidates.h"
#include "decode.h"

namespace edge {

struct Tensor {
  const float* data;
  int64_t image_stride;  // elements from one image of the batch to the next

  const float* image(int number) const { return data + number * image_stride; }
};

struct Limits {
  float conf, iou;
  int max_det;
  bool multi_label;
  const uint8_t* class_mask;  // (num_classes,), 0 = not reported
};

class Scan {
 public:
  Scan(const Rule& rule, const std::vector<Level>& levels);
  void run(const Tensor* tensors, int image, const Limits& limits, Candidates* found);

 private:
  static constexpr int kBlock = 1024;  // cells tested together: one row of them fits in the L1 cache

  // Consecutive cells of one anchor.
  struct Cells {
    const Level& level;
    const float *score, *objectness, *class_id;  // of the first cell
    int count;
    uint32_t index;  // of the first candidate
  };

  void prepare(const Limits& limits);
  int gate(const Cells& cells);
  int gate_planar(const Cells& cells);
  int gate_rows(const Cells& cells);
  void visit(const Cells& cells, int i);
  void offer_finished(float number, float score, float objectness, uint32_t index);
  void offer_best(const float* classes, int64_t stride, int i, uint32_t index);
  void offer_classes(const float* row, float objectness, uint32_t index);
  void offer(float raw, const Softmax& soft, float objectness, uint32_t index);
  const float* class_row(const View& view, const float* first);
  double least_class(float objectness) const;

  const Rule& rule_;
  const std::vector<Level>& levels_;
  const bool softmax_;
  const int channels_;  // of the score, classes that are not reported included
  Limits limits_{};
  Candidates* found_ = nullptr;
  double least_score_ = 0;  // a little below conf, by more than rounding can add
  float objectness_bound_ = 0, class_bound_ = 0;
  std::vector<int> reported_, background_;  // channels, from first_class and from 0; background: never reported
  std::vector<float> offsets_;              // per class, -inf if masked
  std::vector<float> row_;                  // one cell's score channels side by side
  alignas(64) std::array<float, kBlock> best_, other_;
  std::array<int32_t, kBlock> group_, hits_;
};

}  // namespace edge
