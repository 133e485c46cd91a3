"""How long one second-order MAML meta-step takes, here and in PyTorch.

    python tests/benchmarks/maml_step.py

The step: loss and meta-gradient of conv4-64 with stride 2 and flattened features, 5-way 1-shot, one query per
class, all parameters adapted at rate 0.4, float32. PyTorch's three formulations are in `peers_torch.py`.

Every form lives in a fresh process of its own, so none profits or suffers from another's memory or threads:
1. a step in float32 gives the peak of the resident memory, beyond what the process held before that step, its
   libraries loaded (exact on Linux; on macOS a lower bound, on Windows not measured);
2. its gradients are compared, parameter by parameter, with those of PyTorch's loop in float64. In float64 all
   forms must agree to 1e-9: there the mathematics is compared. In float32 rounding puts some of the million
   ReLUs on the other side of their kink, and each moves the gradient by a thousandth: hence the wide limit
   (which alone would miss a wrong batch norm). Nothing is timed unless all forms pass;
3. after a warm-up they take turns, here, loop, vmap, grouped, here, ...: medians, and ratios of medians.

NumPy's OpenBLAS and PyTorch's libraries each choose their kernels for the processor: where the environment dictates
another processor's to OpenBLAS (OPENBLAS_CORETYPE), that is lifted, unless --keep-kernels is given.

The course needs no PyTorch, this comparison does: `pip install -e ".[bench]"`. Without it only our own step
is timed.
"""

import argparse
import ctypes
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from fewshot_np.lesson2_episodes import Episode
from fewshot_np.lesson4_maml import maml_objective
from fewshot_np.nn.networks import conv4
from fewshot_np.nn.primitives import cross_entropy
from fewshot_np.nn.trees import tree_map, value_and_grad

N_WAY, INNER_LR, CHANNELS = 5, 0.4, 64
TOLERANCE = {"float64": 1e-9, "float32": 2e-2}
NETWORK = conv4(input_shape=(28, 28, 1), outputs=N_WAY, channels=CHANNELS, down="stride", features="flatten")


# ---------------------------------------------------------------- the problem, and our solution


def make_problem(n_tasks, dtype, seed=0):
    """Weights and an Episode: a class is a random image, its support and its query are noisy versions of it.

    gamma and beta are moved away from 1 and 0, lest an error in them go unnoticed.
    """
    rng = np.random.default_rng(seed)
    params = NETWORK.init(rng)
    for block in range(1, 5):
        for key in ("gamma", "beta"):
            params[f"block{block}"][key] = params[f"block{block}"][key] + 0.1 * rng.standard_normal(CHANNELS)
    classes = rng.random((n_tasks, N_WAY, 28, 28, 1))
    support_x, query_x = (np.clip(classes + 0.3 * rng.standard_normal(classes.shape), 0, 1) for _ in range(2))
    labels = np.tile(np.arange(N_WAY), (n_tasks, 1))
    ids = np.arange(labels.size).reshape(labels.shape)
    # Through float32 in any case: the float64 problem is the same one, not a neighbour.
    support_x, query_x = (x.astype("float32").astype(dtype) for x in (support_x, query_x))
    params = tree_map(lambda p: p.astype("float32").astype(dtype), params)
    return params, Episode(support_x, labels, query_x, labels, ids, ids)


def task_losses(params, x, y):
    return cross_entropy(NETWORK.apply(params, x), y)


def here(params, episode, inner_lr, steps, dtype):
    """The form of the course; step() -> (loss, tree of gradients)."""
    def objective(params):
        return maml_objective(task_losses, params, episode, inner_lr, steps)

    return partial(value_and_grad(objective), params)


# ---------------------------------------------------------------- one form in its own process


def serve(connection, name, n_tasks, steps, n_threads):
    """The life of a form's process: send its first results, then a time in seconds for each request."""
    threadpool_limits(n_threads)
    form, as_tree = here, lambda tree: tree
    if name != "here":
        import peers_torch
        peers_torch.torch.set_num_threads(n_threads)
        form, as_tree = peers_torch.FORMS[name], peers_torch.as_tree
    if name != "compiled":  # it would compile, for minutes, for this one task
        form(*make_problem(1, "float32"), INNER_LR, steps, "float32")()  # loads what is loaded on first use
    step = form(*make_problem(n_tasks, "float32"), INNER_LR, steps, "float32")
    before = resident_bytes()
    first = {"float32": first_results(step, as_tree)}
    peak = peak_bytes()
    in_float64 = form(*make_problem(n_tasks, "float64"), INNER_LR, steps, "float64")
    first["float64"] = first_results(in_float64, as_tree)
    first["peak_mb"] = (peak - before) / 2**20 if peak and name != "compiled" else None
    first["kernels"] = ", ".join(sorted({pool["architecture"] for pool in threadpool_info() if "architecture" in pool}))
    connection.send(first)
    del first, in_float64
    while connection.recv() == "step":
        start = time.perf_counter()
        step()
        connection.send(time.perf_counter() - start)


def first_results(step, as_tree):
    """Loss and gradients of one step as plain arrays: {"loss": ..., "grads": {"block1.w": ...}}."""
    loss, grads = step()
    tree = as_tree(grads)
    grads = {f"{layer}.{key}": np.asarray(leaf) for layer in tree for key, leaf in tree[layer].items()}
    return {"loss": float(loss), "grads": grads}


def resident_bytes():
    """What this process holds now, without what it freed (not on Linux: its peak so far; Windows: None)."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc alone has it
    return _proc_status("VmRSS") or peak_bytes()


def peak_bytes():
    """The most this process ever held; getrusage alone would count on Linux what its parent held."""
    if peak := _proc_status("VmHWM"):
        return peak
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _proc_status(field):
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":")), None)


@contextmanager
def process(name, *settings):
    """A fresh process for one form; yields (its connection, its first results)."""
    context = multiprocessing.get_context("spawn")
    connection, other_end = context.Pipe()
    worker = context.Process(target=serve, args=(other_end, name, *settings), daemon=True)
    worker.start()
    other_end.close()
    try:
        try:
            first = connection.recv()
        except EOFError:
            raise SystemExit(f'the form "{name}" failed, see the traceback above') from None
        yield connection, first
    finally:
        with suppress(OSError):
            connection.send("stop")
        connection.close()
        worker.join()


# ---------------------------------------------------------------- compare, then time


def compare(first):
    """{form: {dtype: (relative error, where)}}, against PyTorch's loop (without PyTorch: ours) in float64.

    The error is the largest, over the loss and all parameters, of |a - b| / |b| with Euclidean norms.
    """
    reference = first.get("loop", first["here"])["float64"]

    def worst(result):
        pairs = {key: (grad, reference["grads"][key]) for key, grad in result["grads"].items()}
        pairs["loss"] = np.array([result["loss"]]), np.array([reference["loss"]])
        return max((float(np.linalg.norm(a - b) / np.linalg.norm(b)), key) for key, (a, b) in pairs.items())

    return {name: {dtype: worst(results[dtype]) for dtype in TOLERANCE} for name, results in first.items()}


def disagreements(first, errors):
    """A sentence for every form whose gradient is wrong, or not of the type asked for."""
    found = []
    for name, results in first.items():
        for dtype, tolerance in TOLERANCE.items():
            error, key = errors[name][dtype]
            if not error <= tolerance:  # so written, NaN is an error too
                found.append(f"{name}, {dtype}: {key} is off by {error:.1e}, more than {tolerance:.0e}")
            found += [f"{name}: the {dtype} gradient of {key} is {grad.dtype}"
                      for key, grad in results[dtype]["grads"].items() if grad.dtype != dtype]
    return found


def take_turns(connections, runs, warm_up=2):
    """{form: seconds of each run}; every form runs once in every round."""
    seconds = {name: [] for name in connections}
    for turn in range(warm_up + runs):
        for name, connection in connections.items():
            connection.send("step")
            elapsed = connection.recv()
            if turn >= warm_up:
                seconds[name].append(elapsed)
    return seconds


def measure(forms, n_tasks, steps, n_threads, runs):
    """One setting: all forms compared, then timed. SystemExit where they disagree."""
    with ExitStack() as stack:
        opened = {name: stack.enter_context(process(name, n_tasks, steps, n_threads)) for name in forms}
        first = {name: results for name, (_, results) in opened.items()}
        errors = compare(first)
        if found := disagreements(first, errors):
            raise SystemExit("\n".join(["the gradients disagree, so nothing is timed:", *found]))
        seconds = take_turns({name: connection for name, (connection, _) in opened.items()}, runs)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return {"tasks": n_tasks, "steps": steps, "numpy_kernels": first["here"]["kernels"], "forms": {
        name: {"median_s": medians[name], "here_over_form": medians["here"] / medians[name],
               "peak_mb": first[name]["peak_mb"], "error_float64": errors[name]["float64"][0],
               "error_float32": errors[name]["float32"][0], "seconds": seconds[name]} for name in forms}}


# ---------------------------------------------------------------- what is printed


def report(result):
    """The table of one setting, and the two ratios that count."""
    lines = [f"{result['tasks']} tasks, {result['steps']} inner step{'s' * (result['steps'] > 1)}; "
             f"NumPy's BLAS takes its kernels for {result['numpy_kernels'] or 'this processor'}",
             "  form       median ms   min ms   here/form   peak MB   err float64   err float32"]
    for name, form in result["forms"].items():
        peak = "-" if form["peak_mb"] is None else f"{form['peak_mb']:.0f}"
        lines.append(f"  {name:9s} {1e3 * form['median_s']:11.1f} {1e3 * min(form['seconds']):8.1f} "
                     f"{form['here_over_form']:11.2f} {peak:>9s} {form['error_float64']:13.0e} "
                     f"{form['error_float32']:13.0e}")
    peers = {name: form["here_over_form"] for name, form in result["forms"].items() if name != "here"}
    if peers:
        best = max(peers, key=peers.get)
        lines.append(f"  here/loop {peers['loop']:.2f}, here/best {peers[best]:.2f} ({best}); "
                     "below 1: here is faster")
    return "\n".join(lines)


def machine(forms):
    """Versions, processor and operating system, for the record."""
    packages = ["numpy", "autograd"] + ["torch"] * (forms != ["here"])
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    blas = {f"{pool['internal_api']} {pool['version']}" for pool in pools}
    return {"cpu": cpu_name(), "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(), "numpy_blas": ", ".join(sorted(blas)),
            **{name: importlib.metadata.version(name) for name in packages}}


def introduction(facts, options):
    """What was measured, where, and with what."""
    packages = [key for key in ("python", "numpy", "autograd", "torch") if key in facts]
    versions = ", ".join(f"{key} {facts[key]}" for key in packages)
    return (f"One second-order MAML meta-step: conv4-{CHANNELS}, {N_WAY}-way 1-shot, float32\n"
            f"{facts['cpu']}, {facts['cores']} cores, {facts['system']}\n"
            f"{versions}\nNumPy's BLAS: {facts['numpy_blas']}\n"
            f"{options.threads} thread{'s' * (options.threads > 1)} for each form, {options.runs} timed runs")


def cpu_name():
    """The processor's name as its maker spells it, where the system tells."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.check_output(["sysctl", "-n", "machdep.cpu.brand_string"], text=True).strip()
    return platform.processor() or "unknown processor"


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, nargs="+", default=[16, 32], help="meta-batch sizes (16 32)")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 5], help="numbers of inner steps (1 5)")
    parser.add_argument("--runs", type=int, default=9, help="timed runs of each form (9)")
    parser.add_argument("--threads", type=int, default=1, help="threads of each form (1)")
    parser.add_argument("--compile", action="store_true",
                        help="torch.compile as a fourth form of PyTorch's: several minutes for each setting")
    parser.add_argument("--keep-kernels", action="store_true",
                        help="leave OPENBLAS_CORETYPE as it is set, rather than let OpenBLAS know the processor")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers to FILE")
    return parser.parse_args(argv)


def main(argv=None):
    """Measure every combination of tasks and inner steps; print tables, and write them with --json."""
    options = parse(argv)
    forms = ["here", "loop", "vmap", "grouped"] + ["compiled"] * options.compile
    if importlib.util.find_spec("torch") is None:
        print('PyTorch is not installed, so only our own step is timed: pip install -e ".[bench]" adds it.\n')
        forms = ["here"]
    if not options.keep_kernels:  # PyTorch's libraries choose for themselves, too
        os.environ.pop("OPENBLAS_CORETYPE", None)
    facts = machine(forms)
    print(introduction(facts, options), flush=True)
    results = []
    for n_tasks in options.tasks:
        for steps in options.steps:
            results.append(measure(forms, n_tasks, steps, options.threads, options.runs))
            print("\n" + report(results[-1]), flush=True)
    if options.json:
        record = {"machine": facts, "threads": options.threads, "runs": options.runs, "settings": results}
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(f"\nwrote {options.json}")


if __name__ == "__main__":
    main()
