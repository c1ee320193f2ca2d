// kept.h: the boxes that NMS has kept, in blocks of one class, so that a candidate is compared with many at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "decode.h"
#include "loops.h"
#include "nms.h"

namespace edge {

class Kept {
 public:
  explicit Kept(int num_classes) : newest_(static_cast<size_t>(num_classes)) {}

  void clear() {
    used_ = 0;
    std::fill(newest_.begin(), newest_.end(), -1);
  }

  bool suppress(const Box& box, int class_id, float iou) const {
    return suppressed(blocks_.data(), newest_[class_id], box, area(box), iou);
  }

  void add(const Box& box, int class_id) {
    int& newest = newest_[class_id];
    if (newest < 0 || blocks_[newest].count == kLanes) newest = new_block(newest);
    KeptBlock& block = blocks_[newest];
    const int lane = block.count++;
    block.x1[lane] = box.x1;
    block.y1[lane] = box.y1;
    block.x2[lane] = box.x2;
    block.y2[lane] = box.y2;
    block.area[lane] = area(box);
  }

 private:
  int new_block(int next) {
    if (used_ == blocks_.size()) blocks_.emplace_back();
    blocks_[used_] = KeptBlock{};
    blocks_[used_].next = next;
    return static_cast<int>(used_++);
  }

  std::vector<KeptBlock> blocks_;  // at most one per kept box
  size_t used_ = 0;
  std::vector<int> newest_;  // newest block of each class, -1 for none
};

}  // namespace edge
