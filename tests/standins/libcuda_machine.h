// libcuda_machine.h: memory, streams and events of the stand-in in libcuda.cpp, and what goes wrong with them.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// Of ThreadSanitizer, if it is there.
extern "C" {
void AnnotateIgnoreSyncBegin(const char*, int) __attribute__((weak));
void AnnotateIgnoreSyncEnd(const char*, int) __attribute__((weak));
void AnnotateIgnoreReadsBegin(const char*, int) __attribute__((weak));
void AnnotateIgnoreReadsEnd(const char*, int) __attribute__((weak));
void AnnotateIgnoreWritesBegin(const char*, int) __attribute__((weak));
void AnnotateIgnoreWritesEnd(const char*, int) __attribute__((weak));
}

namespace {

using Clock = std::chrono::steady_clock;
using Address = unsigned long long;

enum Code { kOk = 0, kInvalid = 1, kNoMemory = 2, kNoContext = 201, kHandle = 400, kNotReady = 600, kFailed = 719 };

struct Stream {
  std::mutex lock;
  std::condition_variable changed;
  std::deque<std::function<void()>> waiting;
  bool busy = false, ending = false;
  std::thread worker;
};

struct Event {
  std::mutex lock;
  std::condition_variable changed;
  int recorded = 0, happened = 0;
  Clock::time_point at;
};

struct Graph {
  void (*run)(void*);
  void* argument;
};

struct Machine {
  std::mutex lock;
  std::map<uintptr_t, std::pair<char, size_t>> memory;  // 'h' pinned, 'm' mapped, 'd' device
  std::set<void*> events, streams, graphs;
  std::map<std::string, int> fail, slow_us;  // by call: how many more succeed; microseconds
  std::vector<std::string> calls, faults;
  int retained = 0, step_us = 0;
  bool asynchronous = false, recording = true, lost = false;
  int (*note)(const char*) = nullptr;
  int (*launch)(void*) = nullptr;
};

Machine& machine() {
  static Machine* const only = new Machine;  // never destroyed: it is called until the very end
  return *only;
}

// The lock of the machine. ThreadSanitizer must not see it: it would order the calls of all threads, and hide their races.
class Guard {
 public:
  Guard() {
    tell(AnnotateIgnoreSyncBegin);
    machine().lock.lock();
    tell(AnnotateIgnoreReadsBegin);
    tell(AnnotateIgnoreWritesBegin);
  }
  ~Guard() {
    tell(AnnotateIgnoreWritesEnd);
    tell(AnnotateIgnoreReadsEnd);
    machine().lock.unlock();
    tell(AnnotateIgnoreSyncEnd);
  }

 private:
  static void tell(void (*annotate)(const char*, int)) {
    if (annotate != nullptr) annotate(__FILE__, __LINE__);
  }
};

thread_local std::vector<void*> contexts;
int context;  // its address is the context

void fault(const std::string& text) {
  const Guard guard;
  machine().faults.push_back(text);
}

// What every call begins with.
int enter(const char* name, bool with_context = true) {
  Machine& m = machine();
  int code = kOk, slow = 0;
  int (*note)(const char*);
  {
    const Guard guard;
    if (m.recording) m.calls.push_back(name);
    note = m.note;
    const auto fail = m.fail.find(name), late = m.slow_us.find(name);
    if (fail != m.fail.end() && fail->second-- == 0) code = kFailed;
    if (late != m.slow_us.end()) slow = late->second;
  }
  if (slow) std::this_thread::sleep_for(std::chrono::microseconds(slow));
  if (note != nullptr && note(name) != 0) code = kFailed;
  if (code == kFailed && std::string(name).find("Alloc") != std::string::npos) code = kNoMemory;
  if (code == kOk && with_context && contexts.empty()) {
    fault(std::string("without a context: ") + name);
    return kNoContext;
  }
  return code;
}

#define ENTER(...)                                             \
  if (const int refused = enter(__VA_ARGS__)) return refused

void pause() {
  const int us = machine().step_us;
  if (us) std::this_thread::sleep_for(std::chrono::microseconds(us));
}

void work(Stream* stream) {
  std::unique_lock<std::mutex> guard(stream->lock);
  while (true) {
    stream->changed.wait(guard, [&] { return stream->ending || !stream->waiting.empty(); });
    if (stream->waiting.empty()) return;
    const auto next = std::move(stream->waiting.front());
    stream->waiting.pop_front();
    stream->busy = true;
    guard.unlock();
    pause();
    next();
    guard.lock();
    stream->busy = false;
    stream->changed.notify_all();
  }
}

// Puts work into a stream. Handles of the tests' own are streams that work at once.
int put(void* handle, std::function<void()> next) {
  Machine& m = machine();
  bool known;
  {
    const Guard guard;
    known = m.streams.count(handle) > 0;
    if (!known && m.note == nullptr && m.launch == nullptr) {
      m.faults.push_back("no such stream");
      return kHandle;
    }
  }
  if (!known || !m.asynchronous) {
    next();
    return kOk;
  }
  Stream* stream = static_cast<Stream*>(handle);
  const std::lock_guard<std::mutex> guard(stream->lock);
  stream->waiting.push_back(std::move(next));
  stream->changed.notify_all();
  return kOk;
}

bool holds(const char* kinds, uintptr_t first, size_t bytes) {
  const Guard guard;
  auto next = machine().memory.upper_bound(first);
  if (next == machine().memory.begin()) return false;
  --next;
  return std::strchr(kinds, next->second.first) && first - next->first + bytes <= next->second.second;
}

void* allocate(char kind, size_t bytes) {
  void* made = std::malloc(bytes);
  const Guard guard;
  machine().memory[reinterpret_cast<uintptr_t>(made)] = {kind, bytes};
  return made;
}

int release(const char* kinds, uintptr_t first) {
  {
    const Guard guard;
    const auto found = machine().memory.find(first);
    if (found == machine().memory.end() || !std::strchr(kinds, found->second.first)) {
      machine().faults.push_back("memory given back that is not held");
      return kInvalid;
    }
    machine().memory.erase(found);
  }
  std::free(reinterpret_cast<void*>(first));
  return kOk;
}

Event* event_of(void* handle) {
  {
    const Guard guard;
    if (machine().events.count(handle)) return static_cast<Event*>(handle);
  }
  fault("no such event");
  return nullptr;
}

}  // namespace
