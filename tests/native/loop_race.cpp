// loop_race.cpp: slots of one GPU in several threads, under ThreadSanitizer, over the stand-in for the driver's library.
//
// The graph sums the bytes of its picture where the slot says that they lie. The stand-in does it in a thread of its own.
#include <chrono>
#include <cstdio>
#include <thread>

#include "driver.h"
#include "slot.h"

extern "C" {
void standin_reset(int, int, int (*)(const char*), int (*)(void*));
void* standin_stream();
void standin_end_stream(void*);
void* standin_graph(void (*)(void*), void*);
}

namespace {

constexpr int kSide = 24, kTurns = 60, kThreads = 4;

struct Work {
  int64_t words[edge::kImageWords];
  double frames[edge::kFrameNumbers];
  int64_t sum;
};

void sum(void* argument) {
  Work* work = static_cast<Work*>(argument);
  const auto* first = reinterpret_cast<const uint8_t*>(work->words[0]);
  work->sum = 0;
  for (int64_t y = 0; y < work->words[2]; ++y)
    for (int64_t x = 0; x < 3 * work->words[1]; ++x) work->sum += first[y * work->words[3] + x];
}

edge::Layout layout_of(int height) {
  edge::Layout layout = {};
  layout.words[1] = kSide, layout.words[2] = height;
  layout.planes = 1, layout.u = layout.v = -1;
  layout.rows[0] = static_cast<size_t>(height), layout.row_bytes[0] = 3 * kSide;
  return layout;
}

// Pictures in memory of its own, in lent memory, and changed as soon as that is allowed.
int run(const std::shared_ptr<edge::Gpu>& gpu, int number) {
  Work work = {};
  void* stream = standin_stream();
  int wrong = 0;
  {
    edge::Slot slot(gpu, stream, work.words, work.frames, 1, number % 2 == 0);
    slot.set_graph(standin_graph(sum, &work));
    std::vector<uint8_t> own(3 * kSide * (kSide + kTurns));
    for (int turn = 0; turn < kTurns; ++turn) {
      const edge::Layout layout = layout_of(kSide + turn);
      const size_t bytes = layout.rows[0] * layout.row_bytes[0];
      std::shared_ptr<edge::Pinned> lent;
      if (turn % 3 == 0) {
        lent = std::make_shared<edge::Pinned>(gpu, bytes, number % 2 == 0);
        gpu->lend(lent);
      }
      uint8_t* pixels = lent ? lent->host() : own.data();
      for (size_t k = 0; k < bytes; ++k) pixels[k] = static_cast<uint8_t>(turn + 1);
      const edge::Source source = {&layout, {{pixels, 3 * kSide}, {nullptr, 0}, {nullptr, 0}}};
      slot.enqueue(&source, 1);
      if (turn % 5 == 4) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));  // the stream has read: who does not wait is not ordered
        slot.enqueue(&source, 1);
      }
      if (lent)
        lent.reset();  // the slot still holds it
      else
        pixels[0] = 0;
      while (turn % 7 == 6 && !slot.ready()) std::this_thread::yield();
      slot.wait();
      wrong += work.sum != static_cast<int64_t>(bytes) * (turn + 1);
    }
    const edge::Layout layout = layout_of(kSide);
    const edge::Source source = {&layout, {{own.data(), 3 * kSide}, {nullptr, 0}, {nullptr, 0}}};
    slot.enqueue(&source, 1);  // in flight when it is destroyed
  }
  standin_end_stream(stream);
  return wrong;
}

}  // namespace

int main(int, char** arguments) {
  standin_reset(1, 0, nullptr, nullptr);
  auto gpu = std::make_shared<edge::Gpu>(arguments[1], 0);
  int wrong[kThreads] = {};
  std::vector<std::thread> threads;
  for (int k = 0; k < kThreads; ++k) threads.emplace_back([&wrong, gpu, k] { wrong[k] = run(gpu, k); });
  gpu.reset();  // the slots keep the context
  for (std::thread& thread : threads) thread.join();
  int sum_wrong = 0;
  for (const int each : wrong) sum_wrong += each;
  std::printf("%d\n", sum_wrong);
  return sum_wrong;
}
