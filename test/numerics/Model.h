// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A package and a session, and steps over the ragged form of its entries, with every input in the caller's hand.
#ifndef MJOLNIR_TEST_NUMERICS_MODEL_H
#define MJOLNIR_TEST_NUMERICS_MODEL_H

#include "mjolnir/runtime.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mjolnir::numerics {

using Tokens = std::vector<int32_t>;

struct Sampling {
  float temperature = 0;
  int32_t topK = 0;
  float topP = 1;
  int64_t seed = 0;
};

/// What a step does for one sequence.
struct Piece {
  Tokens tokens;
  int32_t start = 0;       // position of the first token
  Tokens pages;            // of the sequence, as many as start + tokens.size() needs, or more
  int32_t logitToken = -1; // the token of the piece whose logits are wanted; -1: the last one
  Sampling sampling = {};
};

struct Stepped {
  Tokens next;                            // a token for each piece
  std::vector<std::vector<float>> logits; // [vocabulary] for each piece
};

/// Whether two lists of numbers are the same bit for bit.
bool sameBits(const std::vector<float> &a, const std::vector<float> &b);

struct Difference {
  double largest = 0, rms = 0;
};
/// Of two lists of equal length; NaN counts as infinitely different.
Difference difference(const std::vector<float> &a, const std::vector<float> &b);

/// `count` pages from `first` on.
Tokens pagesFrom(int32_t first, int32_t count);

class Model {
public:
  /// Throws std::runtime_error with the runtime's message, as all functions here do.
  explicit Model(const std::string &path, uint32_t threads = 2, uint32_t kvPages = 0);

  const mj_kv_info &kv() const { return kvInfo; }
  uint32_t pages() const { return session.kvPages(); }
  /// Pages that a sequence of `tokens` tokens needs.
  int32_t pagesFor(size_t tokens) const { return int32_t((tokens + kvInfo.page_size - 1) / kvInfo.page_size); }

  /// Runs `entry` once. Sequences that the entry has beyond `pieces` are padding, and so are the rows that are left;
  /// what the contract says nobody looks at is filled with values that would show.
  Stepped step(const std::string &entry, const std::vector<Piece> &pieces);

  /// The logits after each token of `tokens`, one decode step a token.
  std::vector<std::vector<float>> decode(const Tokens &tokens, const Tokens &pages, int32_t start = 0,
                                         const std::string &entry = "decode_b1");
  /// The logits after the last token, fed in pieces of `piece` tokens.
  std::vector<float> prefill(const std::string &entry, const Tokens &tokens, const Tokens &pages, size_t piece,
                             int32_t start = 0);
  /// The logits after each token, fed in pieces of `piece` tokens; a piece is run again for each of its tokens.
  std::vector<std::vector<float>> prefillEveryToken(const std::string &entry, const Tokens &tokens, const Tokens &pages,
                                                    size_t piece);

private:
  Package package;
  Session session;
  mj_kv_info kvInfo;
};

} // namespace mjolnir::numerics

#endif // MJOLNIR_TEST_NUMERICS_MODEL_H
