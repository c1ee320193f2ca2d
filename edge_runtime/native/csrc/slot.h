// slot.h: the device's loop: pictures of one batch go to the GPU, its graph is launched, and its end is awaited.
//
// The graph letterboxes, runs the network and decodes. It reads where the pictures lie from a block of pinned memory, so
// that it stays the same for all sizes. Any thread may call a slot, one at a time.
#pragma once

#include <memory>
#include <vector>

#include "driver.h"

namespace edge {

constexpr int kImageWords = 23, kFrameNumbers = 6, kMostPlanes = 3;

// Pictures of one format and size. `words` are those of pixel.h, with the bytes before the first sample of Y, U and V
// in the places of their addresses, and without strides.
struct Layout {
  int64_t words[kImageWords];
  double frame[kFrameNumbers];
  int planes, u, v;  // number of planes; which one has U and V, -1: none
  size_t rows[kMostPlanes], row_bytes[kMostPlanes];
};

struct Plane {
  const uint8_t* first;
  int64_t stride;  // bytes from one row to the next
};

struct Source {
  const Layout* layout;
  Plane planes[kMostPlanes];
};

struct Times {
  double filled_ms, copied_ms, ran_ms;  // on the host; on the GPU: the copies, and all after them
};

class Slot {
 public:
  // `words` and `frames` lie in pinned memory, from where the graph copies them: one entry for each picture of a batch.
  Slot(std::shared_ptr<Gpu> gpu, void* stream, int64_t* words, double* frames, int batch, bool mapped);
  ~Slot();
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  int batch() const { return static_cast<int>(places_.size()); }

  // Sets what `enqueue` launches. Without a graph the caller runs the batch itself, and then calls `started`.
  void set_graph(void* graph) { graph_ = graph; }

  // Copies 1 to `batch` pictures, and launches the graph. What lies in lent memory is read there until `wait`.
  void enqueue(const Source* sources, int count);
  // Would `enqueue` only copy a little and put work into the stream, without allocating or waiting?
  bool brief(const Source* sources, int count) const;

  // Notes that the batch has been put into the stream.
  void started();

  // Is nothing left to wait for?
  bool ready() const;
  // Sleeps until the batch is done. Without a batch, returns the times of the last one.
  Times wait();

 private:
  struct Place {  // of one picture
    std::unique_ptr<Pinned> host;
    std::unique_ptr<DeviceMemory> device;
    size_t host_room = 0, device_room = 0;
    std::shared_ptr<Pinned> held;  // lent memory that the GPU reads
  };
  struct Copy {
    Address to;
    const uint8_t* from;
    size_t bytes;
  };

  std::shared_ptr<Pinned> in_place(const Source& source) const;
  void grow(Place& place, size_t bytes);
  void fill(Place& place, const Source& source, int64_t* words);
  void put();

  std::shared_ptr<Gpu> gpu_;
  Event begun_, copied_, done_;
  void *stream_, *graph_ = nullptr;
  int64_t* words_;
  double* frames_;
  bool mapped_, running_ = false;
  std::vector<Place> places_;
  std::vector<Copy> copies_;  // has room for all of a batch, so that nothing is allocated
  Times times_ = {0.0, 0.0, 0.0};
};

}  // namespace edge
