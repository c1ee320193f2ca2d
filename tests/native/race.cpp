// race.cpp: the kernel whose threads meet, under ThreadSanitizer: a barrier that is missing is a race between threads.
#include <cstdio>
#include <cstdlib>

#include "launch.cpp"

int main(int, char** arguments) {
  const int kCount = std::atoi(arguments[1]);
  constexpr int kClasses = 3, kMost = 20;
  std::vector<int64_t> words(edge::kRuleWords);
  words[4] = kClasses, words[8] = 1, words[10] = kMost;
  const float numbers[edge::kRuleNumbers] = {0.1f, 0.5f};
  std::vector<edge::Candidate> candidates(kCount);
  for (int k = 0; k < kCount; ++k) {
    const float x = float(rand() % 60), y = float(rand() % 60);
    candidates[k] = {edge::candidate_key(0.2f + float(rand() % 100) / 200.0f, k), {x, y, x + 20.0f, y + 20.0f}};
  }
  const int counts[1] = {kCount};
  const edge::Frame frames[1] = {{1.0, 1.0, 0.0, 0.0, 100.0, 100.0}};
  std::vector<float> rows(6 * kMost);
  int found[1] = {-1};
  for (int turn = 0; turn < 1 + 6000 / kCount; ++turn) {  // a race is not seen every time
    std::vector<edge::Candidate> fresh = candidates;
    host_suppress(words.data(), numbers, fresh.data(), kCount, counts, frames, rows.data(), found, 1, 64);
  }
  std::printf("%d\n", found[0]);
  return found[0] == kMost ? 0 : 1;
}
