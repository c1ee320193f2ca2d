// libcuda_orders.h: what the tests ask of the stand-in in libcuda.cpp.
#pragma once

#include "libcuda_machine.h"

extern "C" {

// Forgets faults, calls and orders. What is held stays held.
void standin_reset(int asynchronous, int recording, int (*note)(const char*), int (*launch)(void*)) {
  Machine& m = machine();
  const Guard guard;
  m.fail.clear(), m.slow_us.clear(), m.calls.clear(), m.faults.clear();
  m.asynchronous = asynchronous, m.recording = recording, m.lost = false, m.step_us = 0;
  m.note = note, m.launch = launch;
}

// From now on `after` calls of that name succeed, and the next fails.
void standin_fail(const char* name, int after) {
  const Guard guard;
  machine().fail[name] = after;
}

// A call takes so long; "" is every step in a stream.
void standin_slow(const char* name, int us) {
  const Guard guard;
  if (*name)
    machine().slow_us[name] = us;
  else
    machine().step_us = us;
}

// The context is destroyed, as by cuDevicePrimaryCtxReset of another library.
void standin_lose() { machine().lost = true; }

// Memory, events and contexts that were not given back.
int standin_held() {
  const Guard guard;
  return static_cast<int>(machine().memory.size() + machine().events.size()) + machine().retained;
}

// Contexts that are current in this thread.
int standin_current() { return static_cast<int>(contexts.size()); }

// Calls ("calls") or faults, one in a line. Returns how many bytes that are.
int standin_said(const char* what, char* out, int room) {
  std::string text;
  const Guard guard;
  for (const std::string& line : std::string(what) == "calls" ? machine().calls : machine().faults) text += line + "\n";
  if (static_cast<int>(text.size()) <= room) std::memcpy(out, text.data(), text.size());
  return static_cast<int>(text.size());
}

void* standin_stream() {
  Stream* made = new Stream;
  made->worker = std::thread(work, made);
  const Guard guard;
  machine().streams.insert(made);
  return made;
}

void standin_end_stream(void* handle) {
  Stream* stream = static_cast<Stream*>(handle);
  {
    const Guard guard;
    machine().streams.erase(handle);
  }
  {
    const std::lock_guard<std::mutex> guard(stream->lock);
    stream->ending = true;
    stream->changed.notify_all();
  }
  stream->worker.join();
  delete stream;
}

void* standin_graph(void (*run)(void*), void* argument) {
  void* made = new Graph{run, argument};
  const Guard guard;
  machine().graphs.insert(made);
  return made;
}

// A graph of nothing.
int standin_nothing(void*) { return kOk; }

// Nanoseconds that the calls of one frame take alone, of so many.
double standin_alone(int frames) {
  void *events[3], *pinned, *popped;
  Address device;
  float ms;
  cuCtxPushCurrent_v2(&context);
  for (void*& event : events) cuEventCreate(&event, 0);
  cuMemHostAlloc(&pinned, 1 << 14, 0);
  cuMemAlloc_v2(&device, 1 << 14);
  cuCtxPopCurrent_v2(&popped);
  const auto begun = Clock::now();
  for (int frame = 0; frame < frames; ++frame) {
    void* const stream = &context;
    cuCtxPushCurrent_v2(&context);
    cuEventRecord(events[0], stream);
    cuMemcpyHtoDAsync_v2(device, pinned, 3 * 64 * 64, stream);
    cuEventRecord(events[1], stream);
    cuGraphLaunch(nullptr, stream);
    cuEventRecord(events[2], stream);
    cuCtxPopCurrent_v2(&popped);
    cuCtxPushCurrent_v2(&context);
    cuEventQuery(events[2]);
    cuCtxPopCurrent_v2(&popped);
    cuCtxPushCurrent_v2(&context);
    cuEventSynchronize(events[2]);
    cuEventElapsedTime(&ms, events[0], events[1]);
    cuEventElapsedTime(&ms, events[1], events[2]);
    cuCtxPopCurrent_v2(&popped);
  }
  const double spent = std::chrono::duration<double, std::nano>(Clock::now() - begun).count();
  cuCtxPushCurrent_v2(&context);
  for (void* event : events) cuEventDestroy_v2(event);
  cuMemFreeHost(pinned);
  cuMemFree_v2(device);
  cuCtxPopCurrent_v2(&popped);
  return spent / frames;
}

}  // extern "C"
