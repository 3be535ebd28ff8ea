#!/usr/bin/env bash
# Expected: a BERT cross-encoder (ms-marco-MiniLM and the like) as a GGUF gives llama.cpp the
# scores of its original, which adds a vector for "first text" (token type 0) or "second text"
# (token type 1) to each token.
# Instead: llama.cpp (in xllamacpp 2026.10.11549) adds the vector of type 0 to every token. A tiny
# model made here keeps its scores when the vector of type 1 is replaced, and changes them with
# that of type 0. It loads, ranks and logs nothing.
# Why it matters: scores are shifted and passages change places, and thresholds measured with the
# original don't hold. Tests that only look whether a right passage comes first mostly pass.
# Frontdesk: writes its cross-encoder with a doubled vocabulary, in which the tokens of the second
# text have ids (and vectors) of their own.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv --without-pip venv
python3 -m pip --python venv install --quiet --disable-pip-version-check \
  'gguf==0.19.0' 'numpy==2.4.6' 'xllamacpp==2026.10.11549'
cat > run.py <<'PY'
import gguf
import numpy as np
import xllamacpp

WIDTH = 32
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + ["\u2581" + word for word in "does the tent leak it is dry".split()]


def write(path, replaced=None):
    random = np.random.default_rng(7)
    out = gguf.GGUFWriter(path, "bert")
    out.add_context_length(64)
    out.add_embedding_length(WIDTH)
    out.add_feed_forward_length(WIDTH)
    out.add_block_count(1)
    out.add_head_count(2)
    out.add_layer_norm_eps(1e-12)
    out.add_causal_attention(False)
    out.add_pooling_type(gguf.PoolingType.RANK)
    out.add_tokenizer_model("bert")
    out.add_token_list(WORDS)
    out.add_token_types([3] * 4 + [1] * (len(WORDS) - 4))
    out.add_token_type_count(2)
    out.add_pad_token_id(0)
    out.add_unk_token_id(1)
    out.add_bos_token_id(2)
    out.add_eos_token_id(3)
    out.add_sep_token_id(3)
    tensors = {"token_embd.weight": (len(WORDS), WIDTH), "position_embd.weight": (64, WIDTH), "token_types.weight": (2, WIDTH)}
    layers = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down"]
    for name in [f"blk.0.{layer}" for layer in layers] + ["cls"]:
        tensors |= {f"{name}.weight": (WIDTH, WIDTH), f"{name}.bias": (WIDTH,)}
    tensors |= {"cls.output.weight": (1, WIDTH), "cls.output.bias": (1,)}
    for name, shape in tensors.items():
        values = random.normal(0, 0.3, shape).astype(np.float32)
        if name == "token_types.weight" and replaced is not None:
            values[replaced] += np.linspace(-3, 3, WIDTH, dtype=np.float32)
        out.add_tensor(name, values)
    for name in ["token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm"]:
        out.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
        out.add_tensor(f"{name}.bias", np.zeros(WIDTH, np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def scores(replaced):
    write("model.gguf", replaced)
    params = xllamacpp.CommonParams()
    params.model.path, params.embedding, params.warmup, params.n_parallel = "model.gguf", True, False, 1
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
    answer = xllamacpp.Server(params).handle_rerank({"query": "does the tent leak", "documents": ["it is dry", "the tent"]})
    return [round(hit["relevance_score"], 5) for hit in sorted(answer["results"], key=lambda hit: hit["index"])]


original, first, second = scores(None), scores(0), scores(1)
print("as written:", original, "type 0 replaced:", first, "type 1 replaced:", second)
assert first != original and second == original
PY
venv/bin/python run.py 2>log.txt || { tail -20 log.txt; exit 1; }
echo "as described"
