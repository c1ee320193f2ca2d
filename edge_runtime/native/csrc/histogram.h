// histogram.h: what the values of a tensor are like.
#pragma once

#include <cstdint>

namespace edge {

struct Extremes {
  float low, high;  // of the finite values; low > high where there are none
  int64_t bad;      // values that are not finite
};

Extremes extremes(const float* values, int64_t count);

// Bin i of 2 * half counts values in [(i - half) * width, (i - half + 1) * width); what lies outside counts in the last
// bin on its side. Returns how many values are not finite; where some are not, nothing is counted.
int64_t histogram(const float* values, int64_t count, float width, int64_t half, int64_t* counts);

}  // namespace edge
