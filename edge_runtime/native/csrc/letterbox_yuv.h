// letterbox_yuv.h: the letterbox of pictures in YUV. Only the pixels that it samples are converted to BGR.
//
// The result is that of letterbox.h for the BGR image that yuv.h defines, to the bit.
#pragma once

#include "letterbox.h"
#include "yuv.h"

namespace edge {

struct YuvPicture {
  Component samples[3];  // Y, U, V
  Colour colour;
};

// `job.src` and `job.src_stride` are not used. For the rest see `letterbox`.
void letterbox_yuv(const LetterboxJob& job, const YuvPicture& picture, const std::string& simd);

// Writes (height, width, 3) BGR. Throws std::invalid_argument for an unknown or unsupported name.
void to_bgr(const YuvPicture& picture, int width, int height, uint8_t* out, const std::string& simd);

// ---- the parts of an implementation ----

constexpr int kBlock = 4;   // destination pixels that are gathered together: 8 samples
constexpr int kWindow = 16; // bytes that one load reads

// The samples of one component that each destination pixel needs: two, which lie side by side in the picture. Those of a
// block are read through 1, 2, 4 or 8 windows.
struct Taps {
  const int32_t* places;   // of both samples of a pixel in the row
  const int32_t* offsets;  // where the window begins, [window of the block][block]
  const uint8_t* masks;    // for pshufb or tbl, likewise, 16 bytes each: the samples of a block, as high bytes
};

struct YuvRow {
  const uint8_t* samples[3];
};

struct YuvJob {
  YuvRow a, b;  // the rows to blend
  YuvRow next[2];  // and those after them, to be fetched
  int weight;   // of b
  Colour colour;
  Taps taps[3];
  bool paired;  // U and V have the same rows and offsets
  bool single;  // each pixel needs one sample alone, and a block has twice as many pixels
  int luma_windows, chroma_windows, blocks;
  const int16_t* weights;  // u0 and u1 of each pixel; may be read 32 pixels beyond the last
  Plane planes[3];
};

struct YuvKernel {
  const char* name;
  // Writes `width` pixels. It reads kWindow bytes at each offset.
  void (*mix)(const YuvJob& job, int width);
  // Writes the BGR image of row `a`, whose width this is; its tables are those of a result of the same width.
  void (*convert)(const YuvJob& job, int width, uint8_t* out);
};

std::vector<YuvKernel> simd_yuv_kernels();  // of this architecture; letterbox_simd_levels says which run here

}  // namespace edge
