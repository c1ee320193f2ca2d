// assign.h: the assignment of rows to columns with the greatest total gain.
//
// Shortest augmenting paths with potentials, one row after the other: Jonker and Volgenant, "A shortest augmenting path
// algorithm for dense and sparse linear assignment problems", Computing 38, 1987. Only a gain above 0 is a possible
// pair. A row may stay alone, which gains 0, so rows and columns need not be equally many. Of equal ways, the one with
// the lower column is taken, and a pair is preferred only if it gains more. tests/twins/track.py does the same.
#pragma once

#include <cstdint>
#include <vector>

namespace edge {

class Assignment {
 public:
  // gain is (rows, cols). Afterwards column_of()[row] is a column, or -1. Allocates only if there was no larger problem.
  void solve(const std::vector<double>& gain, int rows, int cols);
  const std::vector<int>& column_of() const { return column_of_; }

 private:
  int search(const std::vector<double>& gain, int start, int cols);
  void reach(const double* gain, int row, double base, int cols);
  int nearest(int cols) const;
  void take(int column, int start);

  std::vector<double> u_, v_, distance_;
  std::vector<int> column_of_, row_of_, via_, visited_;
  std::vector<uint8_t> in_tree_;
  double alone_ = 0;
  int alone_row_ = 0;
};

}  // namespace edge
