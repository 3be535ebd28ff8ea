"""Writes tests/it/embedding_reference.json: sentences with the vectors that the original all-MiniLM-L6-v2 gives them.

    "$FRONTDESK_CACHE/venv/bin/python" -m pip install tokenizers==0.23.3
    "$FRONTDESK_CACHE/venv/bin/python" scripts/embedding_reference.py

The embedder's test compares llama.cpp's vectors with these (cosine at least 0.999), so nothing here comes from llama.cpp
or from our GGUF: the original F32 weights, Hugging Face's own tokenizer, and BERT's forward pass in float64 numpy.
Each entry holds `text`, `ids` (token ids with [CLS] and [SEP]) and `vector` (384 numbers, length 1, five decimals).
Run it again only to change the sentences; venv and package are those of scripts/models.
"""

import json
import math
import sys
import tempfile
from pathlib import Path

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

LAYERS, HEADS, MAX_TOKENS = 6, 12, 256  # max_seq_length of the package's sentence_bert_config.json

gelu = np.vectorize(lambda x: 0.5 * x * (1.0 + math.erf(x / math.sqrt(2.0))), otypes=[np.float64])


def embed(w, ids):
    """The mean over all tokens of the encoder's last layer, at length 1: shape [384]. `w` holds the weights by name."""

    def dense(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]

    def heads(x):
        return x.reshape(len(ids), HEADS, -1).swapaxes(0, 1)

    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in (f"encoder.layer.{i}" for i in range(LAYERS)):
        q, k, v = (heads(dense(x, f"{layer}.attention.self.{part}")) for part in ("query", "key", "value"))
        scores = q @ k.swapaxes(1, 2) / math.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True) @ v).swapaxes(0, 1).reshape(len(ids), -1)
        x = norm(x + dense(mixed, f"{layer}.attention.output.dense"), f"{layer}.attention.output.LayerNorm")
        inner = dense(gelu(dense(x, f"{layer}.intermediate.dense")), f"{layer}.output.dense")
        x = norm(x + inner, f"{layer}.output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def main():
    with tempfile.TemporaryDirectory() as temp:
        files = models.fetch(*models.SOURCES[models.EMBEDDER], Path(temp))
        weights = {name: tensor.astype(np.float64) for name, tensor in load_file(files["model.safetensors"]).items()}
        tokenizer = Tokenizer.from_file(str(files["tokenizer.json"]))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    entries = []
    with models.progress("embedding", len(SENTENCES)) as bar:
        for text in SENTENCES:
            ids = tokenizer.encode(text).ids
            assert len(ids) <= MAX_TOKENS, f"{len(ids)} tokens; the original would cut this text: {text}"
            vector = [round(float(x), 5) for x in embed(weights, ids)]
            entries.append(json.dumps({"text": text, "ids": ids, "vector": vector}, ensure_ascii=False))
            bar.add(1)
    target = Path(__file__).parent.parent / "tests/it/embedding_reference.json"
    target.write_text("[\n" + ",\n".join(entries) + "\n]\n", encoding="utf-8")
    print(f"models: wrote {len(entries)} sentences to {target}", file=sys.stderr)


if __name__ == "__main__":
    main()
