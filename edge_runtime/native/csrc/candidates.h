// candidates.h: keeps the best kMaxCandidates of all pushed candidates, in memory that is allocated once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "nms.h"

namespace edge {

class Candidates {
 public:
  explicit Candidates(int64_t most) : keys_(static_cast<size_t>(std::min<int64_t>(most, 2 * kMaxCandidates))) {}

  void clear() { size_ = 0, least_ = 0; }

  void push(float score, uint32_t index) {
    const uint64_t key = candidate_key(score, index);
    if (key < least_) return;
    if (size_ == keys_.size()) shrink();
    keys_[size_++] = key;
  }

  // To be called between the last push and the first pop. Makes a heap, because max_det is often reached early.
  void finish() {
    if (size_ > kMaxCandidates) shrink();
    std::make_heap(keys_.begin(), end());
  }

  // Takes the best one that is left; false if there is none.
  bool pop(uint64_t* key) {
    if (size_ == 0) return false;
    std::pop_heap(keys_.begin(), end());
    *key = keys_[--size_];
    return true;
  }

 private:
  std::vector<uint64_t>::iterator end() { return keys_.begin() + static_cast<std::ptrdiff_t>(size_); }

  // Keys are unique, so the choice does not depend on how nth_element works.
  void shrink() {
    std::nth_element(keys_.begin(), keys_.begin() + kMaxCandidates - 1, end(), std::greater<uint64_t>());
    size_ = kMaxCandidates;
    least_ = keys_[kMaxCandidates - 1];
  }

  std::vector<uint64_t> keys_;  // only the first size_ are used
  size_t size_ = 0;
  uint64_t least_ = 0;  // a key below it can no longer be among the best
};

}  // namespace edge
