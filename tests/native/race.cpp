// race.cpp: the kernel whose threads meet, under ThreadSanitizer: a barrier that is missing is a race between threads.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "launch.cpp"

namespace {

// "spread": many places and scores. "equal": one score. "crowded": a hundred in each place, one place after the other.
edge::Candidate candidate(int k, int count, const std::string& kind) {
  const bool crowded = kind == "crowded";
  const int place = k / 100;
  const float x = crowded ? float(place % 30 * 30 + rand() % 3) : float(rand() % 60);
  const float y = crowded ? float(place / 30 * 30) : float(rand() % 60);
  const float spread = kind == "equal" ? 0.5f : 0.2f + float(rand() % 100) / 200.0f;
  const float score = crowded ? 0.9f - 0.7f * float(k) / float(count) : spread;
  return {edge::candidate_key(score, k), {x, y, x + 20.0f, y + 20.0f}};
}

}  // namespace

int main(int, char** arguments) {
  const int kCount = std::atoi(arguments[1]);
  constexpr int kClasses = 3, kMost = 300;
  std::vector<int64_t> words(edge::kRuleWords);
  words[4] = kClasses, words[8] = 1, words[10] = kMost;
  const float numbers[edge::kRuleNumbers] = {0.1f, 0.5f};
  std::vector<edge::Candidate> candidates(kCount);
  for (int k = 0; k < kCount; ++k) candidates[k] = candidate(k, kCount, arguments[2]);
  const int counts[1] = {kCount};
  const edge::Frame frames[1] = {{1.0, 1.0, 0.0, 0.0, 1000.0, 1000.0}};
  std::vector<float> rows(6 * kMost);
  int found[1] = {-1};
  for (int turn = 0; turn < 1 + 3000 / kCount; ++turn) {  // a race is not seen every time
    host_suppress(words.data(), numbers, candidates.data(), kCount, counts, frames, rows.data(), found, 1, 64);
  }
  std::printf("%d\n", found[0]);
  return found[0] > 64 ? 0 : 1;  // more than the threads: rows are written in several turns
}
