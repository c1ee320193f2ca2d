// assign.cpp: see assign.h.
#include "assign.h"

#include <cmath>

namespace edge {

void Assignment::solve(const std::vector<double>& gain, int rows, int cols) {
  u_.assign(rows, 0.0);
  v_.assign(cols, 0.0);
  column_of_.assign(rows, -1);
  row_of_.assign(cols, -1);
  via_.resize(cols);
  for (int row = 0; row < rows; ++row) take(search(gain, row, cols), row);
}

// Finds the shortest path from a row to a free column, or to a row that is better left alone: then it returns -1.
int Assignment::search(const std::vector<double>& gain, int start, int cols) {
  distance_.assign(cols, INFINITY);
  in_tree_.assign(cols, 0);
  visited_.clear();
  alone_ = INFINITY;
  double base = 0;
  int column = -1, row = start;
  do {
    reach(&gain[(size_t)row * cols], row, base, cols);
    column = nearest(cols);
    if (column < 0) break;
    base = distance_[column];
    in_tree_[column] = 1;
    row = row_of_[column];
    if (row >= 0) visited_.push_back(column);
  } while (row >= 0);
  const double length = column < 0 ? alone_ : base;
  u_[start] += length;
  for (const int seen : visited_) {
    u_[row_of_[seen]] += length - distance_[seen];
    v_[seen] -= length - distance_[seen];
  }
  return column;
}

void Assignment::reach(const double* gain, int row, double base, int cols) {
  if (base - u_[row] < alone_) {
    alone_ = base - u_[row];
    alone_row_ = row;
  }
  for (int column = 0; column < cols; ++column) {
    const double length = base - gain[column] - u_[row] - v_[column];
    if (gain[column] > 0 && !in_tree_[column] && length < distance_[column]) {
      distance_[column] = length;
      via_[column] = row;
    }
  }
}

int Assignment::nearest(int cols) const {
  double least = alone_;
  int found = -1;
  for (int column = 0; column < cols; ++column)
    if (!in_tree_[column] && distance_[column] < least) {
      least = distance_[column];
      found = column;
    }
  return found;
}

// Changes the pairs along the path that ends in a column, or (-1) in the row that is left alone.
void Assignment::take(int column, int start) {
  int row = alone_row_;
  if (column < 0) {
    column = column_of_[row];
    column_of_[row] = -1;
    if (row == start) return;
  }
  do {
    row = via_[column];
    const int next = column_of_[row];
    row_of_[column] = row;
    column_of_[row] = column;
    column = next;
  } while (row != start);
}

}  // namespace edge
