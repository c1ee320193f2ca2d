// tile.h: the best candidates that no kept box suppresses, decided together. Only for the device.
//
// They are sorted by key in shared memory. Each has a mask of bits: which later ones it would suppress. One warp reads
// the masks in order and decides all.
#pragma once

#include "select.h"
#include "undo.h"

namespace edge {

constexpr int kThreads = 1024;                         // most threads of the block
constexpr int kTile = 640, kWords = kTile / 32;        // most candidates that are decided together
constexpr int kSorted = 1024;                          // most candidates that are sorted to find the best kTile
constexpr int kWindow = 8 * kTile, kPairs = 1 << 18;   // most candidates to list, and comparisons with kept boxes
constexpr int kPitch = 33;                             // of 32 words: a warp that reads a column has no bank twice

// One image: its candidates, its rows and its rules. They are copies, so that memory is read only once.
struct Suppression {
  const Candidate* candidates;
  int count;
  float* rows;  // of the kept boxes, in model pixels until all are known
  Frame frame;
  int classes, max_det;
  bool suppress;
  float conf, iou;

  __device__ int class_of(uint64_t key) const { return (int)(key_index(key) % classes); }
};

struct Window {
  int listed[kWindow];
  uint64_t key[kSorted];  // of those that are not suppressed so far, in any order
  int place[kSorted];
};

// What the threads share. The parts of the union are used one after the other.
struct Tile {
  union {
    Bins bins;
    Window window;
    uint32_t masks[kWords * (kWords + 1) / 2 * kPitch];
  };
  Box box[kTile];
  float score[kTile];
  int class_id[kTile];
  uint32_t kept[kWords], shown[3][kThreads / 32];
  int listed, found;
  uint64_t last;  // the key of the last one, if the tile is full
};

// The masks of 32 rows for the 32 columns of a word, not before the rows: there are no others.
__device__ inline int block_of(int row_word, int column_word) {
  return (column_word * (column_word + 1) / 2 + row_word) * kPitch;
}

// A barrier must follow before the next window.
__device__ inline void reset(Tile& tile) {
  if (threadIdx.x == 0) tile.listed = tile.found = 0;
  clear(tile.bins);
}

// Keys are unique: the number of larger ones is the place. Those behind kTile are left for the next tile.
__device__ inline void sort(const Suppression& s, Tile& tile, int found) {
  for (int k = threadIdx.x; k < found; k += blockDim.x) {
    const uint64_t key = tile.window.key[k];
    int place = 0;
    EDGE_UNROLL
    for (int other = 0; other < found; ++other) place += tile.window.key[other] > key;
    if (place >= kTile) continue;
    if (place == kTile - 1) tile.last = key;
    tile.box[place] = s.candidates[tile.window.place[k]].box;
    tile.score[place] = key_score(key);
    tile.class_id[place] = s.class_of(key);
  }
  __syncthreads();
}

// Which of the 32 from `first` on are later than `row` and overlap it.
__device__ inline uint32_t mask(const Suppression& s, const Tile& tile, int row, int first, int found) {
  const Box box = tile.box[row];
  const float own = area(box);
  const int class_id = tile.class_id[row], last = found < first + 32 ? found : first + 32;
  uint32_t bits = 0;
  EDGE_UNROLL
  for (int k = row < first ? first : row + 1; k < last; ++k) {
    const Box other = tile.box[k];
    if (tile.class_id[k] == class_id && overlaps(box, own, other, area(other), s.iou)) bits |= 1u << (k - first);
  }
  return bits;
}

__device__ inline void compare(const Suppression& s, Tile& tile, int found) {
  const int words = (found + 31) / 32, rows = words * (words + 1) / 2 * 32;
  int column = 0;
  for (int k = threadIdx.x; k < rows; k += blockDim.x) {
    while ((column + 1) * (column + 2) / 2 <= k / 32) ++column;
    const int word = k / 32 - column * (column + 1) / 2, row = 32 * word + k % 32;
    const bool any = s.suppress && row < found;
    tile.masks[block_of(word, column) + k % 32] = any ? mask(s, tile, row, 32 * column, found) : 0;
  }
  __syncthreads();
}

// Decides 32 candidates, at most `room`; `masks` are their masks for each other.
__device__ inline uint32_t decide(const uint32_t* masks, uint32_t left, int room) {
  uint32_t kept = 0;
  EDGE_UNROLL
  for (int k = 0; k < 32; ++k) {
    const uint32_t mask = masks[k], bit = room > 0 ? left & 1u << k : 0;
    kept |= bit;
    room -= bit != 0;
    if (bit) left &= ~mask;
  }
  return kept;
}

// Reads all masks, by one warp: each thread holds which candidates of its own word are gone.
__device__ inline void decide(Tile& tile, int found, int room) {
  const int lane = threadIdx.x, words = (found + 31) / 32;
  uint32_t gone = lane == words - 1 && found % 32 ? ~0u << found % 32 : 0;
  for (int word = 0; word < words; ++word) {
    if (lane == word) tile.kept[word] = decide(tile.masks + block_of(word, word), ~gone, room);
    __syncwarp();
    const uint32_t kept = tile.kept[word];
    room -= __popc(kept);
    if (lane > word && lane < words) {
      const uint32_t* masks = tile.masks + block_of(word, lane);
      EDGE_UNROLL
      for (int k = 0; k < 32; ++k) gone |= kept >> k & 1 ? masks[k] : 0;
    }
  }
}

// Appends the kept boxes of the tile to the rows. Returns how many rows there are.
__device__ inline int append(const Suppression& s, Tile& tile, int found, int kept) {
  const int words = (found + 31) / 32;
  for (int k = threadIdx.x; k < found; k += blockDim.x) {
    if (!(tile.kept[k / 32] >> k % 32 & 1)) continue;
    int number = kept + __popc(tile.kept[k / 32] & ((1u << k % 32) - 1));
    for (int word = 0; word < k / 32; ++word) number += __popc(tile.kept[word]);
    const Box& box = tile.box[k];
    float* row = s.rows + 6 * number;
    row[0] = box.x1, row[1] = box.y1, row[2] = box.x2, row[3] = box.y2;
    row[4] = tile.score[k], row[5] = (float)tile.class_id[k];
  }
  for (int word = 0; word < words; ++word) kept += __popc(tile.kept[word]);
  reset(tile);
  __syncthreads();
  return kept;
}

}  // namespace edge
