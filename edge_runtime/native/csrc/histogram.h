// histogram.h: what the values of a tensor are like.
#pragma once

#include <cstdint>

namespace edge {

struct Extremes {
  float low, high;  // of the finite values; low > high where there are none
  int64_t bad;      // values that are not finite
};

Extremes extremes(const float* values, int64_t count);

// Bin i of 2 * half counts values in [(i - half) * width, (i - half + 1) * width); all of them have to lie in some bin.
void histogram(const float* values, int64_t count, float width, int64_t half, int64_t* counts);

}  // namespace edge
