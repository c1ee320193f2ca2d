// histogram.cpp: written so that the compiler can use vector instructions for the first pass, and the second never waits
// for its own last store: neighbouring values often fall into one bin (a rectifier's zeros).
#include "histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace edge {

Extremes extremes(const float* values, int64_t count) {
  constexpr float kMost = std::numeric_limits<float>::max();
  Extremes found = {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), 0};
  for (int64_t i = 0; i < count; ++i) {
    const bool finite = std::abs(values[i]) <= kMost;  // false for NaN
    found.low = finite && values[i] < found.low ? values[i] : found.low;
    found.high = finite && values[i] > found.high ? values[i] : found.high;
    found.bad += !finite;
  }
  return found;
}

void histogram(const float* values, int64_t count, float width, int64_t half, int64_t* counts) {
  constexpr int kLanes = 4;
  const int64_t bins = 2 * half;
  const float inverse = 1.0f / width;  // exact: the width is a power of two
  std::vector<int64_t> lanes(kLanes * bins, 0);
  const auto bin = [&](float value) {
    const int64_t place = static_cast<int64_t>(std::floor(value * inverse)) + half;
    return std::clamp<int64_t>(place, 0, bins - 1);
  };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) ++lanes[lane * bins + bin(values[i + lane])];
  for (; i < count; ++i) ++lanes[bin(values[i])];
  for (int64_t b = 0; b < bins; ++b)
    for (int lane = 0; lane < kLanes; ++lane) counts[b] += lanes[lane * bins + b];
}

}  // namespace edge
