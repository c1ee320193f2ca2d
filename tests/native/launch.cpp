// launch.cpp: kernels.cu on the host, behind functions that ctypes can call.
#include "cuda_on_host.h"
#include "kernels.cu"

namespace {

constexpr int kSmall = 64;  // threads of a block where they do not meet

int blocks(int64_t count) { return int((count + kSmall - 1) / kSmall); }

}  // namespace

extern "C" {

void host_letterbox(const edge::Image* images, const edge::Normalisation* n, void* out, int width, int height,
                    int pad_value, int swap_rb, int batch, int half) {
  run_apart({blocks(int64_t(width) * height), batch}, kSmall, [&] {
    if (half)
      edge_letterbox16(images, n, static_cast<uint16_t*>(out), width, height, pad_value, swap_rb);
    else
      edge_letterbox32(images, n, static_cast<float*>(out), width, height, pad_value, swap_rb);
  });
}

void host_widen(const uint16_t* halves, float* out, int count) {
  run_apart({blocks(count), 1}, kSmall, [&] { edge_widen(halves, out, count); });
}

void host_from_int32(const int32_t* whole, float* out, int count) {
  run_apart({blocks(count), 1}, kSmall, [&] { edge_from_int32(whole, out, count); });
}

void host_from_int64(const int64_t* whole, float* out, int count) {
  run_apart({blocks(count), 1}, kSmall, [&] { edge_from_int64(whole, out, count); });
}

void host_candidates(const int64_t* words, const float* numbers, const float* const* tensors, const int64_t* strides,
                     int num_tensors, const uint8_t* mask, int boxes, edge::Candidate* candidates, int room,
                     int* counts, int batch) {
  run_apart({blocks(boxes), batch}, kSmall, [&] {
    edge_candidates({words, numbers}, tensors, strides, num_tensors, mask, boxes, candidates, room, counts);
  });
}

// `threads` in a block: fewer than on the device.
void host_suppress(const int64_t* words, const float* numbers, edge::Candidate* candidates, int room,
                   const int* counts, const edge::Frame* frames, float* rows, int* found, int batch, int threads) {
  run_together({batch, 1}, threads, [&] {
    edge_suppress({words, numbers}, candidates, room, counts, frames, rows, found);
  });
}

// How often the threads of the block have met since the last time this was asked.
int host_rounds() {
  const int met = rounds;
  rounds = 0;
  return met;
}

}  // extern "C"
