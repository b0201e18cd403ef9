// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The values of mj.rope_table. Built without contraction of products and sums (see CMakeLists.txt).
#include "lib/Pipeline/RopeTable.h"

#include <cmath>

using namespace mjolnir;

/// x^n by squaring.
static double power(double x, int64_t n) {
  double result = 1.0;
  for (; n; n >>= 1, x *= x)
    if (n & 1)
      result *= x;
  return result;
}

/// The positive n-th root of a > 1 by Newton's method, from a.
static double root(double a, int64_t n) {
  double x = a;
  // From above, Newton's method decreases until rounding stops it.
  for (int step = 0; step < 100000; ++step) {
    double next = x - (x - a / power(x, n - 1)) / double(n);
    if (!(next < x))
      break;
    x = next;
  }
  return x;
}

void mjolnir::portableSinCos(double x, double &sine, double &cosine) {
  // x = quadrant * pi/2 + r with |r| <= pi/4; pi/2 in three parts, of which the first two have 33 bits, so that their
  // products with quadrant < 2^20 are exact.
  constexpr double twoOverPi = 0.63661977236758134308;
  constexpr double part1 = 0x1.921fb544p+0, part2 = 0x1.0b4611a6p-34, part3 = 0x1.3198a2e037073p-69;
  double quadrant = std::floor(x * twoOverPi + 0.5);
  double r = ((x - quadrant * part1) - quadrant * part2) - quadrant * part3;
  double square = r * r;
  // Taylor series, Horner's scheme: terms to r^17 and r^18 leave an error below 1e-19.
  double s = 0.0, c = 0.0;
  for (int n = 8; n >= 1; --n)
    s = (1.0 + s) * (-square / double((2 * n) * (2 * n + 1)));
  for (int n = 9; n >= 1; --n)
    c = (1.0 + c) * (-square / double((2 * n - 1) * (2 * n)));
  double sinR = r + r * s, cosR = 1.0 + c;
  switch (int64_t(quadrant) & 3) {
  case 0:
    sine = sinR, cosine = cosR;
    break;
  case 1:
    sine = cosR, cosine = -sinR;
    break;
  case 2:
    sine = -sinR, cosine = -cosR;
    break;
  default:
    sine = -cosR, cosine = sinR;
    break;
  }
}

std::vector<double> mjolnir::computeRopeFrequencies(mj::RopeTableOp op) {
  int64_t pairs = op.getType().getDimSize(1);
  double step = root(op.getTheta().convertToDouble(), pairs);
  std::vector<double> frequencies;
  for (int64_t i = 0; i < pairs; ++i) {
    double frequency = float(1.0 / power(step, i));
    if (auto llama3 = op.getLlama3()) {
      // As Llama 3.1 scales: https://arxiv.org/abs/2407.21783 and the configuration `rope_type: llama3`.
      llvm::ArrayRef<double> numbers = *llama3;
      double factor = numbers[0], low = numbers[1], high = numbers[2], original = numbers[3];
      double wavelength = 2.0 * M_PI / frequency;
      double scaled = frequency / factor;
      double smooth = (original / wavelength - low) / (high - low);
      if (wavelength > original / low)
        frequency = scaled;
      else if (!(wavelength < original / high))
        frequency = (1.0 - smooth) * scaled + smooth * frequency;
      frequency = float(frequency);
    }
    frequencies.push_back(frequency / op.getLinear().convertToDouble());
  }
  return frequencies;
}

std::vector<float> mjolnir::computeRopeTable(mj::RopeTableOp op) {
  int64_t positions = op.getType().getDimSize(0);
  std::vector<double> frequencies = computeRopeFrequencies(op);
  std::vector<float> table;
  table.reserve(positions * frequencies.size() * 2);
  for (int64_t position = 0; position < positions; ++position)
    for (double frequency : frequencies) {
      double sine, cosine;
      portableSinCos(double(position) * frequency, sine, cosine);
      table.push_back(float(cosine));
      table.push_back(float(sine));
    }
  return table;
}
