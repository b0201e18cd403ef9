#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Makes the tokenizer goldens: what the `tokenizers` package says about many strings.

    python3 -m venv venv && venv/bin/pip install tokenizers==0.23.3
    venv/bin/python test/numerics/tokenizer/make_goldens.py --out test/numerics/tokenizer

Writes, per tokenizer, NAME.tokenizer.json (trained here, 2,000 to 3,000 tokens) and NAME.jsonl: a first line with versions,
then a line a string, [input, ids, special ids, text, plain text]:
  input         a string, or {"base64": ...} for bytes that are not UTF-8
  ids           of encode(input, add_special_tokens=False)
  special ids   what add_special_tokens=True gives, or null where it is the same
  text          decode(ids, skip_special_tokens=False), or null where it equals the input
  plain text    decode(ids, skip_special_tokens=True), or null where it equals `text`
The training text is generated and taken from this Python's own library, so the result depends on its version; the strings
depend only on the seed. Code points are limited to Unicode 12, so that every Unicode library knows them.
"""
import argparse
import base64
import json
import pathlib
import platform
import random
import sysconfig
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

SENTENCES = [
    "The quick brown fox jumps over the lazy dog; it's 7:45 p.m., and we've still got 1,234.56 dollars.",
    "Falsches Üben von Xylophonmusik quält jeden größeren Zwerg. Straße, Maße, ÄÖÜ.",
    "Voix ambiguë d'un cœur qui au zéphyr préfère les jattes de kiwis. L'été, c'est l'âge d'or.",
    "El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia y frío; ¿añoraba a su querido cachorro?",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. Їжак, ґанок, Њ, Ђ.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Ἀρχὴ σοφίας ὀνομάτων ἐπίσκεψις.",
    "نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر ومغلف بجلد أزرق. ٠١٢٣٤٥٦٧٨٩ السَّلَامُ عَلَيْكُمْ",
    "דג סקרן שט בים מאוכזב ולפתע מצא חברה. שָׁלוֹם עֲלֵיכֶם",
    "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश करने वाले विष्णुवतार भगवान श्रीराम। १२३४५६७८९०",
    "আমি বাংলায় গান গাই। ০১২৩৪৫৬৭৮৯ ক্ষ জ্ঞ শ্রী",
    "யாமறிந்த மொழிகளிலே தமிழ்மொழி போல் இனிதாவது எங்கும் காணோம். க்ஷ ஸ்ரீ",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน ๐๑๒๓๔๕๖๗๘๙ กำ น้ำ",
    "いろはにほへと ちりぬるを わかよたれそ つねならむ。東京特許許可局、カタカナとﾊﾝｶｸ。ＡＢＣ１２３",
    "我能吞下玻璃而不伤身体。千字文：天地玄黃,宇宙洪荒。日月盈昃，辰宿列張。𠀀𠮷𪚥",
    "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다. 다람쥐 헌 쳇바퀴에 타고파.",
    "Tiếng Việt: Con sói nâu nhảy qua con chó lười. Đường phố Hà Nội ở giữa mùa hè.",
    "Pijamalı hasta yağız şoföre çabucak güvendi. İstanbul'da ılık ışık.",
    "ქართული ენა. Հայոց լեզու։ አማርኛ ፊደል። ភាសាខ្មែរ မြန်မာဘာသာ ພາສາລາວ བོད་སྐད། සිංහල",
    "👩‍👩‍👧‍👦 👨🏽‍💻 🏳️‍🌈 🇫🇷🇯🇵 ❤️‍🔥 1️⃣ ☺︎ 😀😃 🤷🏾‍♀️ 👁️‍🗨️",
    "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋, α ∧ ¬β = ¬(¬α ∨ β), ∮ E⋅da = Q, n → ∞, ∑ f(i) = ∏ g(i) ½ ² Ⅷ ⑤ ㊗",
    "e\u0301 a\u0308 n\u0303 o\u0302\u0301 s\u0323\u0307 \u1e9b\u0323 \u212b \u2126 \ufb01 \uac00\u11a8 \u1112\u1161\u11ab \u0958 \u0344",
]
CODE = [
    "def f(x, *, y=0):\n    if x >= y and not (x % 2):\n\t\treturn x ** 2  # squared\n    raise ValueError(f'{x!r} != {y}')\n",
    "for (int i = 0; i < n; ++i) {\n  a[i] += b[i] * 0x1F; // TODO(user): don't\n}\n\n#include <vector>\r\n#define X(a, b) a##b\r\n",
    '{"key": [1, 2.5e-10, null, true], "path": "C:\\\\Users\\\\x", "u": "\\u00e9"}',
    "SELECT * FROM t WHERE id IN (1,2,3) AND name LIKE '%o''brien%' -- comment\n",
    "<div class=\"a-b_c\"><p>Text &amp; more</p></div>\n\n\n<!-- x -->",
    "$ ls -la | grep '^d' && echo \"$HOME/${USER:-nobody}\" >> ~/.log 2>&1\n",
    "https://example.org/a/b?c=d&e=%20f#frag user@example.com 192.168.0.1 2001:db8::1 v1.2.3-rc.4+build",
]
PIECES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\n\n", " \n", "\n ", "\u00a0", "\u3000", "\u2028", "\u200b", "\u200d", "\ufeff",
          "\u0085", "\u180e", "\u000b", "\f", "\0", "\u00ad", "\ufffd", "'s", "'S", "'LL", "'re", "\u017f", "'\u017f", "\u212a", "’s", "...",
          "!!", "--", "—", "_", "__", "0", "12", "345", "6789", "1234567890", "½", "٣", "٣٤٥٦", "A", "zz", "Été", "ß", "ﬁ", "\u0301", "\u0308\u0301",
          "ो", "あ", "漢字", "한", "กำ", "ا", "👍", "👍🏽", "🇩🇪", "é", "e\u0301", "\u1e0b\u0323", "\ud7a3", "\U0001d538", "\U00020000"]


def training_text(rng):
    yield from SENTENCES
    for sentence in SENTENCES:  # other orders of the same words, so that scripts get merges
        words = sentence.split(" ")
        for _ in range(12):
            rng.shuffle(words)
            yield " ".join(words)
    for code in CODE:
        yield from [code] * 4
    library = pathlib.Path(sysconfig.get_paths()["stdlib"])
    for name in ["textwrap.py", "heapq.py", "string.py", "this.py", "statistics.py", "fractions.py"]:
        yield from (library / name).read_text(encoding="utf-8").splitlines(keepends=True)


def random_character(rng, blocks):
    while True:
        low, high = rng.choice(blocks)
        c = chr(rng.randint(low, high))
        if unicodedata.ucd_3_2_0.category(c) not in ("Cn", "Cs"):  # assigned long ago
            return c


BLOCKS = [(0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x52F), (0x531, 0x5FF), (0x600, 0x6FF), (0x900, 0xDFF), (0xE00, 0xEFF),
          (0xF00, 0xFFF), (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x20A0, 0x22FF),
          (0x2460, 0x27BF), (0x3000, 0x30FF), (0x3300, 0x33FF), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3), (0xF900, 0xFA2D), (0xFB00, 0xFB4F),
          (0xFE70, 0xFEFC), (0xFF00, 0xFFEF), (0x1D400, 0x1D7FF), (0x20000, 0x2A6D6)]


def strings(rng, added):
    """Strings and bytes, most of them short."""
    yield from ["", " ", "\n", "a", "\0", "\ufffd", "\ufeff"]
    yield from SENTENCES
    yield from CODE
    for sentence in SENTENCES:
        yield sentence.upper()
        yield unicodedata.normalize("NFD", sentence)
        yield unicodedata.normalize("NFKD", sentence)
        for _ in range(6):
            a, b = sorted(rng.sample(range(len(sentence) + 1), 2))
            yield sentence[a:min(b, a + 40)]
    for piece in PIECES:
        yield piece
        yield f"a{piece}b"
        yield f" {piece} "
        yield piece * 3
    for _ in range(400):  # joints between classes of characters
        yield "".join(rng.choice(PIECES) for _ in range(rng.randint(2, 10)))
    for _ in range(250):  # random characters of one or of all blocks
        blocks = BLOCKS if rng.random() < 0.3 else [rng.choice(BLOCKS)]
        yield "".join(random_character(rng, blocks) for _ in range(rng.randint(1, 16)))
    for _ in range(150):  # white space
        yield "".join(rng.choice(" \t\n\r\u00a0\u3000x") for _ in range(rng.randint(1, 14)))
    for _ in range(100):  # numbers
        yield rng.choice(["", " ", "-", "$"]) + str(rng.randint(0, 10 ** rng.randint(1, 15))) + rng.choice(["", "%", ".5", ",000", " km", "e9"])
    names = [token.content for token in added]
    for _ in range(250):  # added tokens in text, whole and damaged
        parts = []
        for _ in range(rng.randint(1, 6)):
            name = rng.choice(names)
            if rng.random() < 0.2:
                name = name[:rng.randint(0, len(name))]
            parts += [name, rng.choice(PIECES + ["", "", " hello ", "word", "e\u0301"])]
        yield "".join(parts)
    for name in names:
        yield name
        yield name * 2
        yield f"x{name}y"
        yield f"  {name}\t\n z"
    for _ in range(250):  # bytes
        if rng.random() < 0.5:
            data = rng.randbytes(rng.randint(1, 20))
        else:  # text with bytes struck out, doubled or changed
            data = bytearray(rng.choice(SENTENCES).encode()[:rng.randint(4, 40)])
            for _ in range(rng.randint(1, 4)):
                at = rng.randrange(len(data))
                data[at:at + 1] = rng.choice([b"", bytes([rng.randrange(256)]), b"\xf0\x9f", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"])
                if not data:
                    data = bytearray(b"\x80")
        yield bytes(data)


def trained(vocab, pattern, normalizer, special, **model_options):
    tokenizer = Tokenizer(models.BPE(**model_options))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), behavior="isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(list(training_text(random.Random(1))), trainer)
    tokenizer.add_tokens(special)
    return tokenizer


def qwen():
    """As Qwen2 and Qwen3: NFC, digits one by one, no begin-of-text token, tool tokens that are not special."""
    added = [AddedToken(name, special=True, normalized=False) for name in ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_pad|>"]]
    added += [AddedToken(name, special=False, normalized=False) for name in ["<tool_call>", "</tool_call>", "<think>", "</think>"]]
    tokenizer = trained(2048, QWEN, normalizers.NFC(), added)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer, added


def llama3():
    """As Llama 3: up to three digits, whole words first (ignore_merges), a begin-of-text token."""
    added = [AddedToken(name, special=True, normalized=False)
             for name in ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]]
    tokenizer = trained(3072, LLAMA3, None, added, ignore_merges=True)
    bos = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=True),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1",
                                      special_tokens=[("<|begin_of_text|>", bos)])])
    return tokenizer, added


def odd():
    """What the format allows beside those two: every flag of an added token, GPT-2's cut with a prefix space, other splits."""
    added = [AddedToken("<mask>", special=True, lstrip=True, normalized=False), AddedToken("<sep>", special=True, rstrip=True, normalized=False),
             AddedToken("word", single_word=True, normalized=False), AddedToken("<both>", lstrip=True, rstrip=True, normalized=True),
             AddedToken("\u00e9t\u00e9", normalized=True), AddedToken("e\u0301", normalized=False), AddedToken("<|a", normalized=False),
             AddedToken("<|a|>", normalized=False), AddedToken("[deux mots]", normalized=True, single_word=True), AddedToken("日本", special=True)]
    tokenizer = trained(2048, QWEN, normalizers.Sequence([normalizers.NFKC(), normalizers.NFD()]), added)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split("--", behavior="merged_with_next"), pre_tokenizers.Split(Regex(r"[!?]+"), behavior="merged_with_previous"),
        pre_tokenizers.Split(Regex(r"\p{Han}"), behavior="contiguous"), pre_tokenizers.Split("\u00ad", behavior="removed"),
        pre_tokenizers.Split(Regex(r"\w+|\s"), behavior="isolated", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True)])
    sep, mask = tokenizer.token_to_id("<sep>"), tokenizer.token_to_id("<mask>")
    tokenizer.post_processor = processors.TemplateProcessing(single="<mask> $A <sep>", special_tokens=[("<sep>", sep), ("<mask>", mask)])
    return tokenizer, added


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    total = 0
    for name, make in {"qwen": qwen, "llama3": llama3, "odd": odd}.items():
        tokenizer, added = make()
        path = out / f"{name}.tokenizer.json"
        tokenizer.save(str(path), pretty=False)
        tokenizer = Tokenizer.from_file(str(path))  # what the file says is what counts
        with open(out / f"{name}.jsonl", "w", encoding="utf-8", newline="\n") as lines:
            versions = {"tokenizers": tokenizers.__version__, "python": platform.python_version(), "unicode": unicodedata.unidata_version}
            lines.write(json.dumps(versions) + "\n")
            for value in strings(random.Random(2), added):
                text = value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
                ids = tokenizer.encode(text, add_special_tokens=False).ids
                special = tokenizer.encode(text, add_special_tokens=True).ids
                whole = tokenizer.decode(ids, skip_special_tokens=False)
                plain = tokenizer.decode(ids, skip_special_tokens=True)
                shown = value if isinstance(value, str) else {"base64": base64.b64encode(value).decode()}
                row = [shown, ids, None if special == ids else special, None if whole == shown else whole, None if plain == whole else plain]
                lines.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
                total += 1
    print(f"{total} strings")


if __name__ == "__main__":
    main()
