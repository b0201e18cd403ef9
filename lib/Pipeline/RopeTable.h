// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The values of mj.rope_table, the same on every machine.
#ifndef MJOLNIR_LIB_PIPELINE_ROPETABLE_H
#define MJOLNIR_LIB_PIPELINE_ROPETABLE_H

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include <vector>

namespace mjolnir {

/// theta^(-2i/D) of every pair i, rounded to f32, scaled as the operation says.
std::vector<double> computeRopeFrequencies(mj::RopeTableOp op);

/// [positions, pairs, 2] cosines and sines in row-major order.
std::vector<float> computeRopeTable(mj::RopeTableOp op);

/// Sine and cosine of |x| < 2^20 within 2 ulp. IEEE additions, multiplications and divisions alone, whose results do not
/// depend on the machine, which a C library's do.
void portableSinCos(double x, double &sine, double &cosine);

} // namespace mjolnir

#endif // MJOLNIR_LIB_PIPELINE_ROPETABLE_H
