#!/usr/bin/env bash
# Expected: WordPiece cuts a word that it doesn't know into pieces, however long it is.
# Instead: WordPiece of tokenizers 0.23.3 gives one [UNK] for a word of more than 100 characters,
# although each of its pieces is in the vocabulary. Only white space and punctuation end a word,
# so a Thai paragraph is one word, and so is a Japanese one in kana.
# Why it matters: all such paragraphs have the same embedding: [CLS] [UNK] [SEP]. Whichever is
# stored first is the best hit for all questions in that language. Shorter texts work, so a test
# with greetings passes.
# Frontdesk: takes multilingual-e5-small (SentencePiece, no such limit) for other languages than
# English.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv" install --quiet --no-deps --disable-pip-version-check 'tokenizers==0.23.3'
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer

print("tokenizers", version("tokenizers"))
letters = "กขคงจฉ"
vocabulary = {token: at for at, token in enumerate(["[UNK]", *letters, *("##" + letter for letter in letters)])}
tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
tokenizer.pre_tokenizer = BertPreTokenizer()
for length in (100, 101):
    word = (letters * 20)[:length]
    tokens = tokenizer.encode(word).tokens
    print(length, "characters ->", len(tokens), "tokens, the first", tokens[0])
    assert len(tokens) == (100 if length == 100 else 1)
assert tokens == ["[UNK]"]
assert tokenizer.encode((letters * 40)[:200]).ids == tokenizer.encode((letters[::-1] * 40)[:200]).ids
PY
echo "as described"
