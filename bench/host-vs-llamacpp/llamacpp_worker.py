# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Runs llama.cpp for compare.py: llamacpp_worker.py MODEL.gguf THREADS, in the environment that `setup` made.

Reads commands from stdin and answers each with one line of JSON on stdout:
  prefill N       seconds to read a prompt of N tokens and choose the next token
  decode P N      seconds for N steps of one token after a prompt of P tokens
  logits N FILE   writes the logits after a prompt of N tokens as f32
Token i of a prompt is (7919 i + 13) mod the vocabulary.  Time is taken around llama_decode and the choice of the most
likely token (by numpy, which is quicker than llama.cpp's own sampler).
"""

import ctypes
import json
import sys
import time

import llama_cpp
import numpy as np

CONTEXT = 1024


class Model:
    def __init__(self, path, threads):
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            sys.exit(f"llamacpp_worker: cannot load {path}")
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = CONTEXT
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, parameters)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))

    def prompt(self, count):
        return [(7919 * i + 13) % self.vocabulary for i in range(count)]

    def clear(self):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def run(self, tokens):
        """Appends tokens; the logits after the last."""
        array = (llama_cpp.llama_token * len(tokens))(*tokens)
        if llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(array, len(tokens))):
            sys.exit("llamacpp_worker: llama_decode failed")
        pointer = llama_cpp.llama_get_logits_ith(self.context, -1)
        return np.ctypeslib.as_array(ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float)), (self.vocabulary,))


def answer(model, command, *rest):
    model.clear()
    if command == "prefill":
        tokens = model.prompt(int(rest[0]))
        begin = time.perf_counter()
        int(model.run(tokens).argmax())
        return {"seconds": time.perf_counter() - begin}
    if command == "decode":
        token = int(model.run(model.prompt(int(rest[0]))).argmax())
        tokens = [token]
        begin = time.perf_counter()
        for _ in range(int(rest[1])):
            tokens.append(int(model.run(tokens[-1:]).argmax()))
        return {"seconds": time.perf_counter() - begin, "tokens": tokens}
    if command == "logits":
        model.run(model.prompt(int(rest[0]))).astype(np.float32).tofile(rest[1])
        return {}
    sys.exit(f"llamacpp_worker: unknown command {command}")


def main():
    model = Model(sys.argv[1], int(sys.argv[2]))
    print(json.dumps({"vocabulary": model.vocabulary, "system": llama_cpp.llama_print_system_info().decode()}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(model, *line.split())), flush=True)


if __name__ == "__main__":
    main()
