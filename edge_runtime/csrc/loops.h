// loops.h: the few loops that take the time, over plain arrays; several instruction sets, chosen at run time, same
// bits.
#pragma once

#include <array>
#include <cstdint>

#include "decode.h"

namespace edge {

constexpr int kRows = 8;

// best[i] = the largest of best[i] and rows[..][i], group[i] = id where that grew; NaN never wins.
void raise(float* best, int32_t* group, const std::array<const float*, kRows>& rows, int32_t id, int count);

// The indices i with values[i * stride] > bound, in order, into `hits` (room for `count`); returns how many.
int above(const float* values, int64_t stride, int count, float bound, int32_t* hits);

// Is any row[i] + offsets[i] > bound?
bool any_above(const float* row, const float* offsets, int count, float bound);

// Index of the largest row[i] + offsets[i], the first of equals; -1 where all are NaN or -inf.
int argmax(const float* row, const float* offsets, int count);

constexpr int kLanes = 16;

// Boxes already kept, one array per coordinate, so that a candidate is compared with all of them at once.
struct Kept {
  float x1[kLanes], y1[kLanes], x2[kLanes], y2[kLanes], area[kLanes];
  int32_t class_id[kLanes];  // -1 where there is no box
};

// Does any box kept suppress this one?
bool suppressed(const Kept* blocks, int count, const Box& box, float area, int32_t class_id, float iou);

}  // namespace edge
