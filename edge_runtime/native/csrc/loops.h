// loops.h: the few loops that take most of the time, over plain arrays. They exist for several instruction sets, chosen
// at run time; all give the same bits.
#pragma once

#include <array>
#include <cstdint>

#include "decode.h"

namespace edge {

constexpr int kRows = 8;

// best[i] = the largest of best[i] and rows[..][i]. If it grew, group[i] = id. NaN is never the largest.
void raise(float* best, int32_t* group, const std::array<const float*, kRows>& rows, int32_t id, int count);

// Writes the indices i with values[i * stride] > bound, in order, into `hits` (room for `count`). Returns how many.
int above(const float* values, int64_t stride, int count, float bound, int32_t* hits);

// Is any row[i] + offsets[i] > bound?
bool any_above(const float* row, const float* offsets, int count, float bound);

// Index of the largest row[i] + offsets[i], the first if several are equal; -1 if all are NaN or -inf.
int argmax(const float* row, const float* offsets, int count);

constexpr int kLanes = 16;

// Kept boxes of one class. Lanes from `count` on are zero and overlap nothing.
struct KeptBlock {
  float x1[kLanes], y1[kLanes], x2[kLanes], y2[kLanes], area[kLanes];
  int count, next;  // next: number of the next block of this class, -1 for none
};

// Does any box in the chain of blocks that begins with number `first` suppress this one?
bool suppressed(const KeptBlock* blocks, int first, const Box& box, float area, float iou);

}  // namespace edge
