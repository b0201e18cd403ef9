# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Prints what test/gpu's checks make of given numbers: check_figures_arithmetic.py UNPACKED_BUNDLE."""
import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(sys.argv[1], "test", "gpu"))
import check_figures
import checks


def main():
    shape = dict(num_hidden_layers=1, hidden_size=2, intermediate_size=5, num_attention_heads=2, num_key_value_heads=1,
                 head_dim=3, vocab_size=7)
    print("operations", int(check_figures.prefill_operations(shape, 4)))
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(os.path.join(sys.argv[1], "bundle.json"), folder)
        context = checks.Context(folder)
        context.bundle["target"] = "cuda:sm_90a"
        context.gate("slow", 0.7, 0.62)
        context.gate("narrow", 0.9, 0.9, at_least=True, us=3)
        for name, figure in context.figures.items():
            print(f"{name}: {figure}")
        print("failures", context.failures)
        context.bundle["target"] = "cuda:sm_120f"
        context.gate("slow", 0.7, 0.62)
        print(f"other chip: {context.figures['slow']}")
        # Half as fast at copying, FlashInfer takes twice as long.
        times, source = check_figures.flashinfer_times(context, check_figures.FLASHINFER_COPY / 2)
        print("elsewhere", times["16_8_128", "bf16", 1, 512], source)
        with open(os.path.join(folder, "flashinfer.json"), "w", encoding="utf-8") as file:
            json.dump({"rows": [{"heads": 16, "kv_heads": 8, "size": 128, "kv": "bf16", "batch": 1, "context": 512, "us": 5.5}]},
                      file)
        times, source = check_figures.flashinfer_times(context, 1e12)
        print("here", times["16_8_128", "bf16", 1, 512], source)


if __name__ == "__main__":
    main()
