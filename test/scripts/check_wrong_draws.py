# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""What wrong_draw says of draws that are right and wrong, on logits of eight tokens: ln 8, ln 4, ln 2, five times 0. Of 19 parts
the first has 8, so that with top_p of 12/19 the first two stay."""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(sys.argv[1], "test", "gpu"))
import checks  # noqa: F401
from check_sampling import wrong_draw

logits = np.log(np.array([8, 4, 2, 1, 1, 1, 1, 1], np.float32))
print("the most likely: 0", wrong_draw(logits, 0.0, 0, 1.0, 7, 3, 0) or "right", 1, wrong_draw(logits, 0.0, 0, 1.0, 7, 3, 1))
print("top_k: 4", wrong_draw(logits, 1.0, 2, 1.0, 7, 3, 4))
print("top_p: 3", wrong_draw(logits, 1.0, 0, 12 / 19, 7, 3, 3))
print("one of 8 falls within its part:", sum(not wrong_draw(logits, 1.0, 0, 1.0, 7, 3, token) for token in range(8)))
