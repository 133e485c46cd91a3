"""How long a step takes here and in PyTorch, in its best form and as it is usually written.

    python tests/benchmarks/run.py

The steps, float32, all parameters trained; PyTorch's forms are in `peers_torch.py`:
- second-order MAML, conv4-64 with stride 2, 5-way 1-shot, 32 tasks, 1 and 5 inner steps;
- second-order MAML on sinusoids, two layers of 40, 25 tasks of 10 points, 1 inner step;
- a prototypical episode, conv4-64 with pooling, 60-way 1-shot, 5 queries per class: one batch of 360 images;
and the time it takes to draw the 32 episodes of a MAML step from 4,800 classes of 20 images.

Every form lives in a fresh process of its own, with one thread and again with one for each core, so none profits
or suffers from another's memory or threads. On all cores our own form shares tasks between worker processes, or the
one large batch between threads. The ratio takes the faster of ours, and the faster of each of PyTorch's.
1. a step in float32 gives the peak of the resident memory, beyond what the process held before that step, its
   libraries loaded (exact on Linux; on macOS a lower bound, on Windows not measured; without our workers');
2. its gradients are compared, parameter by parameter, with those of PyTorch's loop in float64. In float64 all
   forms must agree to 1e-9: there the mathematics is compared. In float32 rounding puts some of the million
   ReLUs on the other side of their kink, and each moves the gradient by a thousandth: hence the wide limit
   (which alone would miss a wrong batch norm). Nothing is timed unless all forms pass;
3. after a warm-up they take turns, here, loop, vmap, ..., here, ...: medians, and ratios of medians.
Before that, our own step is profiled on one thread: where its time goes, and how fast it could be at best.

NumPy's OpenBLAS and PyTorch's libraries each choose their kernels for the processor: where the environment dictates
another processor's to OpenBLAS (OPENBLAS_CORETYPE), that is lifted, unless --keep-kernels is given. All processes
keep the memory that they free (`keep_freed_memory` asks glibc for that), PyTorch's too: as it comes, without that, its
prototypical episode took 0.27 to 0.30 s rather than 0.11 on two cores of an AMD EPYC.

The course needs no PyTorch, this comparison does: `pip install -e ".[bench]"`. Without it only our own steps
are timed. --figure FILE draws time and peak memory of a MAML step against tasks, ways, shots, inner steps, channels.
"""

import argparse
import cProfile
import ctypes
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import platform
import pstats
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from matplotlib.ticker import LogLocator
from threadpoolctl import threadpool_info, threadpool_limits

from fewshot_np.data.classes import ImageClasses
from fewshot_np.experiment.figures import STYLES, new_figure, save_figure
from fewshot_np.experiment.workers import shared_value_and_grad
from fewshot_np.lesson2_episodes import Episode, sample_episodes
from fewshot_np.lesson3_initialisation import classification_loss
from fewshot_np.lesson3_metric import prototypical_objective
from fewshot_np.lesson4_maml import maml_objective, sample_sinusoids, squared_error
from fewshot_np.nn import kernels, primitives
from fewshot_np.nn.kernels import keep_freed_memory, threads
from fewshot_np.nn.networks import conv4, mlp
from fewshot_np.nn.trees import tree_map

TOLERANCE = {"float64": 1e-9, "float32": 2e-2}


# ---------------------------------------------------------------- the work, and our solution


class Work(NamedTuple):
    """A step to be timed: objective(params, episode) -> number, of which the step computes the value and gradient.

    make() -> (params, episode); kind: its forms in `peers_torch.FORMS`, which get `settings`; cores: what our own form
    shares between all cores, "workers", "threads" or None; repeats: steps per timed run; goal: time here / best form.
    """

    title: str
    make: Any
    objective: Any
    kind: str
    settings: dict
    cores: str | None
    repeats: int = 1
    goal: float | None = None


def maml(n_tasks=32, n_way=5, k_shot=1, steps=1, channels=64, goal=None):
    network = conv4(outputs=n_way, channels=channels, down="stride", features="flatten")
    settings = {"inner_lr": 0.4, "steps": steps}
    return Work(f"MAML, conv4-{channels}, {n_way}-way {k_shot}-shot, {n_tasks} tasks, {steps} inner step"
                + "s" * (steps > 1),
                partial(characters, network, n_tasks, n_way, k_shot, 1),
                partial(maml_objective, partial(classification_loss, network), **settings),
                "maml", settings, "workers", 1, goal)


def sinusoids(n_tasks=25, goal=None):
    network = mlp([1, 40, 40, 1])
    settings = {"inner_lr": 0.01, "steps": 1}
    return Work(f"MAML, sinusoids, {n_tasks} tasks of 10 points, 1 inner step", partial(curves, network, n_tasks),
                partial(maml_objective, partial(squared_error, network), **settings),
                "sinusoids", settings, None, 20, goal)


def prototypical(n_way=60, goal=None):
    network = conv4()
    return Work(f"prototypical episode, conv4-64, {n_way}-way 1-shot, 5 queries per class",
                partial(characters, network, 1, n_way, 1, 5), partial(prototypical_objective, network),
                "prototypical", {}, "threads", 1, goal)


def characters(network, n_tasks, n_way, k_shot, n_query):
    """Weights and an Episode: a class is a random image, its support and its queries are noisy versions of it."""
    rng = np.random.default_rng(0)
    params = unlike_new(network.init(rng), rng)
    classes = rng.random((n_tasks, n_way, 1, 28, 28, 1))

    def drawings(n):
        x = np.clip(classes + 0.3 * rng.standard_normal((n_tasks, n_way, n, 28, 28, 1)), 0, 1)
        labels = np.tile(np.arange(n_way).repeat(n), (n_tasks, 1))
        return x.reshape(n_tasks, -1, 28, 28, 1).astype("float32"), labels

    return params, Episode(*drawings(k_shot), *drawings(n_query), None, None)


def curves(network, n_tasks):
    rng = np.random.default_rng(0)
    return unlike_new(network.init(rng), rng), sample_sinusoids(10, 10, n_tasks, rng)


def unlike_new(params, rng):
    """gamma, beta and biases moved away from 1 and 0, lest an error in them go unnoticed."""
    return tree_map(lambda p: (p + 0.1 * rng.standard_normal(p.shape) * (p.ndim == 1)).astype("float32"), params)


WORKS = {"maml-1": maml(goal=0.65), "maml-5": maml(steps=5, goal=0.65), "sinusoids": sinusoids(goal=1.6),
         "prototypical": prototypical(goal=1.3)}
LOOP_GOAL = 0.5


def convert(params, episode, dtype):
    """The same problem in float64 (not a neighbour: both were float32 before)."""
    def floats(a):
        return a.astype(dtype) if a is not None and a.dtype.kind == "f" else a

    return tree_map(floats, params), Episode(*map(floats, episode))


@contextmanager
def opened(work, name, n_threads):
    """Yield a function (params, episode, dtype) -> step; step() -> (loss, tree of gradients)."""
    if name != "here":
        import peers_torch
        peers_torch.torch.set_num_threads(n_threads)
        form = peers_torch.FORMS[work.kind][name]
        yield lambda params, episode, dtype: partial(form, **work.settings)(params, episode, dtype)
        return
    n_workers = n_threads if work.cores == "workers" else 1
    with (threadpool_limits(1), threads(n_threads if work.cores == "threads" else 1),
          shared_value_and_grad(work.objective, n_workers) as loss_and_gradient):
        yield lambda params, episode, dtype: lambda: loss_and_gradient(params, episode)


# ---------------------------------------------------------------- where our own time goes

PRODUCTS = ("patches_times_kernels", "patches_times_maps", "_add_patches",  # none of them calls another
            "_linear", "_linear_x", "_linear_w")


def profile(step, repeats):
    """Shares of a step's time: {"products", "passes", "python"}; "floor_s": seconds it could not do without.

    products: what multiplies matrices, with laying out the patches for it. python: functions outside `primitives` and
    `kernels`, above all autograd's tape; the profiler makes them look slower. passes: what remains, primitives that do
    little with each number and walk through memory. floor: the multiplications of all convolutions, at the rate of a
    large matrix product.
    """
    profiler = cProfile.Profile()
    with profiler:
        for _ in range(repeats):
            step()
    total = products = python = 0
    for (file, _, name), (_, _, own, cumulative, _) in pstats.Stats(profiler).stats.items():
        total += own
        if file in (primitives.__file__, kernels.__file__):
            products += cumulative * (name in PRODUCTS)
        elif file.endswith(".py") and name != "_add":  # autograd's, which adds gradients: a pass
            python += own
    return {"products": products / total, "passes": 1 - (products + python) / total, "python": python / total,
            "floor_s": float(operations(step) / operations_per_second())}


def operations(step):
    """Multiplications and additions in the convolutions of a step."""
    counts, chunks = [], kernels.chunks

    def counting(x, w, y):
        counts.append(2 * np.prod(w.shape[-4:], dtype=float) * np.prod(y.shape[:-1]))
        return chunks(x, w, y)

    with mock.patch.object(kernels, "chunks", counting):
        step()
    return sum(counts)


def operations_per_second(n=1024, runs=9):
    """Of the product of two large float32 matrices on this thread, at its best."""
    a = np.random.default_rng(0).random((n, n), dtype="float32")
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - start)
    return 2 * n ** 3 / min(seconds)


# ---------------------------------------------------------------- one form in its own process


def serve(connection, work, name, n_threads):
    """The life of a form's process: send its first results, then a time in seconds for each request."""
    keep_freed_memory()
    with opened(work, name, n_threads) as form:
        params, episode = work.make()
        one_task = Episode(*(None if field is None else field[:1] for field in episode))
        form(params, one_task, "float32")()  # loads what is loaded on first use
        step = form(params, episode, "float32")
        before = resident_bytes()
        first = {"float32": first_results(step)}
        peak = peak_bytes()
        first["float64"] = first_results(form(*convert(params, episode, "float64"), "float64"))
        first["peak_mb"] = (peak - before) / 2**20 if peak else None
        first["kernels"] = ", ".join(sorted({pool["architecture"] for pool in threadpool_info()
                                             if "architecture" in pool}))
        if (name, n_threads) == ("here", 1):
            first["profile"] = profile(step, work.repeats)
        connection.send(first)
        del first
        with suppress(EOFError):  # the process that asked has ended
            while connection.recv() == "step":
                start = time.perf_counter()
                for _ in range(work.repeats):
                    step()
                connection.send((time.perf_counter() - start) / work.repeats)


def first_results(step):
    """Loss and gradients of one step as plain arrays: {"loss": ..., "grads": {"block1.w": ...}}."""
    loss, tree = step()
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
def process(work, name, n_threads):
    """A fresh process for one form; yields (its connection, its first results)."""
    context = multiprocessing.get_context("spawn")
    connection, other_end = context.Pipe()
    child = context.Process(target=serve, args=(other_end, work, name, n_threads))
    child.start()
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
        child.join()


# ---------------------------------------------------------------- compare, then time


def compare(first):
    """{form: {dtype: (relative error, where)}}, against PyTorch's loop (without PyTorch: ours) in float64.

    The error is the largest, over the loss and all parameters, of |a - b| / |b| with Euclidean norms.
    """
    reference = next((results for (name, _), results in first.items() if name == "loop"), None)
    reference = (reference or next(iter(first.values())))["float64"]

    def worst(result):
        pairs = {key: (grad, reference["grads"][key]) for key, grad in result["grads"].items()}
        pairs["loss"] = np.array([result["loss"]]), np.array([reference["loss"]])
        return max((float(np.linalg.norm(a - b) / np.linalg.norm(b)), key) for key, (a, b) in pairs.items())

    return {name: {dtype: worst(results[dtype]) for dtype in TOLERANCE} for name, results in first.items()}


def disagreements(first, errors):
    """A sentence for every form whose gradient is wrong, or not of the type asked for."""
    found = []
    for form, results in first.items():
        name = label(*form)
        for dtype, tolerance in TOLERANCE.items():
            error, key = errors[form][dtype]
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


def label(name, n_threads):
    return f"{name}, {n_threads} thread" + "s" * (n_threads > 1)


def measure(work, forms, runs):
    """One step: all forms compared, then timed. SystemExit where they disagree. forms: [(name, threads)]."""
    with ExitStack() as stack:
        running = {form: stack.enter_context(process(work, *form)) for form in forms}
        first = {form: results for form, (_, results) in running.items()}
        errors = compare(first)
        if found := disagreements(first, errors):
            raise SystemExit("\n".join(["the gradients disagree, so nothing is timed:", *found]))
        seconds = take_turns({form: connection for form, (connection, _) in running.items()}, runs)
    rows = [{"form": name, "threads": n, "median_s": statistics.median(seconds[name, n]),
             "peak_mb": first[name, n]["peak_mb"], "error_float64": errors[name, n]["float64"][0],
             "error_float32": errors[name, n]["float32"][0], "seconds": seconds[name, n]} for name, n in forms]
    return {"title": work.title, "goal": work.goal, "numpy_kernels": first["here", 1]["kernels"],
            "profile": first["here", 1]["profile"], "forms": rows, **ratios(rows)}


def ratios(rows):
    """Time of our faster form, and its ratios to PyTorch's fastest and to its loop, each at its best thread count."""
    ours = min((row for row in rows if row["form"] == "here"), key=median)
    peers = [row for row in rows if row["form"] != "here"]
    if not peers:
        return {"here": ours, "best": None, "here_over_best": None, "here_over_loop": None}
    best = min(peers, key=median)
    loop = min((row for row in peers if row["form"] == "loop"), key=median)
    return {"here": ours, "best": best, "here_over_best": ours["median_s"] / best["median_s"],
            "here_over_loop": ours["median_s"] / loop["median_s"]}


def median(row):
    return row["median_s"]


def forms_of(work, cores, peers):
    """[(name, threads)]: each form with one thread and with one for each core, ours where it can share its work."""
    counts = sorted({1, cores})
    return [("here", n) for n in counts if n == 1 or work.cores] + [(name, n) for name in peers for n in counts]


def sampling_seconds(runs):
    """Median time to draw the 32 episodes of a MAML step from 4,800 classes of 20 images."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4800 * 20, 28, 28, 1), dtype=np.uint8)
    names = tuple(str(number) for number in range(4800))
    classes = ImageClasses(images, np.arange(4800).repeat(20), names, names)
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        sample_episodes(classes, 5, 1, 1, 32, rng)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])  # the first sorts the images by class


# ---------------------------------------------------------------- the figure

SWEEPS = {"n_tasks": (2, 8, 32), "n_way": (5, 10, 20), "k_shot": (1, 5, 10), "steps": (1, 3, 10),
          "channels": (16, 32, 64, 128)}
USUAL = {"n_tasks": 8, "n_way": 5, "k_shot": 1, "steps": 1, "channels": 64}
AXES = {"n_tasks": "tasks T", "n_way": "ways N", "k_shot": "shots K", "steps": "inner steps", "channels": "channels"}


def sweep(forms, runs):
    """{setting: its `measure`}, every setting once; a setting is a tuple of (name, number)."""
    settings = {tuple((USUAL | {name: n}).items()) for name, numbers in SWEEPS.items() for n in numbers}
    measured = {}
    for setting in sorted(settings):
        measured[setting] = measure(maml(**dict(setting)), forms, runs)
        print("  " + measured[setting]["title"], flush=True)
    return measured


def draw_sweep(measured, forms):
    """Time above, peak memory below, a column for each of tasks, ways, shots, inner steps, channels."""
    figure, axes = new_figure(12, 5, nrows=2, ncols=len(SWEEPS), sharey="row")
    for column, (name, numbers) in enumerate(SWEEPS.items()):
        results = [measured[tuple((USUAL | {name: n}).items())] for n in numbers]
        for row, (key, unit) in enumerate([("median_s", 1e3), ("peak_mb", 1)]):
            panel = axes[row, column]
            for number, form in enumerate(forms):
                values = [result["forms"][number][key] for result in results]
                if None not in values:
                    panel.plot(numbers, [unit * value for value in values], label=FORM_NAMES[form[0]],
                               **STYLES[number])
            panel.set(xscale="log", yscale="log", xticks=numbers, xticklabels=numbers)
            panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            panel.yaxis.set_major_formatter("{x:g}")
            panel.minorticks_off()
            panel.grid(alpha=0.3)
            panel.spines[["top", "right"]].set_visible(False)
        axes[1, column].set_xlabel(AXES[name])
    axes[0, 0].set_ylabel("milliseconds per step")
    axes[1, 0].set_ylabel("peak memory, MB")
    axes[0, 0].legend(frameon=False, fontsize=8)
    figure.suptitle("One second-order MAML step, one thread; where not varied: 8 tasks, 5 ways, 1 shot, 1 inner step, "
                    "64 channels", fontsize=10)
    return figure


FORM_NAMES = {"here": "fewshot_np", "loop": "PyTorch, loop over tasks", "vmap": "PyTorch, vmap"}


# ---------------------------------------------------------------- what is printed


def report(result):
    """The table of one step."""
    lines = [result["title"] + "; NumPy's BLAS takes its kernels for " + (result["numpy_kernels"] or "this processor"),
             "  form      threads   median ms   min ms   here/form   peak MB   err float64   err float32"]
    for row in result["forms"]:
        peak = "-" if row["peak_mb"] is None else f"{row['peak_mb']:.0f}"
        lines.append(f"  {row['form']:9s}{row['threads']:8d} {1e3 * row['median_s']:11.2f} "
                     f"{1e3 * min(row['seconds']):8.2f} {result['here']['median_s'] / row['median_s']:11.2f} "
                     f"{peak:>9s} {row['error_float64']:13.0e} {row['error_float32']:13.0e}")
    shares = result["profile"]
    return "\n".join([*lines, "  here, 1 thread: " + ", ".join(
        f"{100 * shares[key]:.0f} % {what}" for key, what in
        (("products", "products"), ("passes", "passes over memory"), ("python", "Python")))
        + (f"; convolutions take at least {1e3 * shares['floor_s']:.3g} ms" if shares["floor_s"] else "")])


def summary(results, sampling):
    """All ratios beside their goals."""
    lines = ["time here / time of PyTorch; below 1: here is faster. In brackets: the goals.",
             f"{'':66s}here ms   /best form   /usual loop"]
    for result in results:
        best, loop = result["here_over_best"], result["here_over_loop"]
        told = ("   PyTorch is not installed" if best is None else
                f"{best:6.2f} ({result['goal']}){loop:8.2f} ({LOOP_GOAL})  " + label(
                    result["best"]["form"], result["best"]["threads"]))
        lines.append(f"{result['title']:66s}{1e3 * result['here']['median_s']:7.1f}{told}")
    if sampling is not None:
        lines.append(f"{'drawing 32 episodes for the first step from 4,800 classes':66s}{1e3 * sampling:7.1f}")
    return "\n".join(lines)


def machine(with_torch):
    """Versions, processor and operating system, for the record."""
    packages = ["numpy", "autograd"] + ["torch"] * with_torch
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    blas = {f"{pool['internal_api']} {pool['version']}" for pool in pools}
    return {"cpu": cpu_name(), "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(), "numpy_blas": ", ".join(sorted(blas)),
            **{name: importlib.metadata.version(name) for name in packages}}


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
    parser.add_argument("--only", nargs="+", choices=WORKS, default=list(WORKS), help="some of the steps alone")
    parser.add_argument("--runs", type=int, default=9, help="timed runs of each form (9)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), metavar="N",
                        help="besides one: the threads or worker processes of each form (one for each core)")
    parser.add_argument("--keep-kernels", action="store_true",
                        help="leave OPENBLAS_CORETYPE as it is set, rather than let OpenBLAS know the processor")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers to FILE")
    parser.add_argument("--figure", type=Path, metavar="FILE",
                        help="in place of the table, draw time and memory against the size of a MAML step: a PNG")
    return parser.parse_args(argv)


def peers_of(work):
    if importlib.util.find_spec("torch") is None:
        return []
    import peers_torch
    return list(peers_torch.FORMS[work.kind])


def main(argv=None):
    """Measure the steps and print tables and ratios; or draw the figure."""
    options = parse(argv)
    with_torch = importlib.util.find_spec("torch") is not None
    if not with_torch:
        print('PyTorch is not installed, so only our own steps are timed: pip install -e ".[bench]" adds it.\n')
    keep_freed_memory()
    if not options.keep_kernels:  # PyTorch's libraries choose for themselves, too
        os.environ.pop("OPENBLAS_CORETYPE", None)
    facts = machine(with_torch)
    print("\n".join(f"{what}: {value}" for what, value in {**facts, "timed runs of each form": options.runs}.items()),
          flush=True)
    if options.figure:
        forms = [("here", 1)] + [("loop", 1), ("vmap", 1)] * with_torch
        print(f"\nwrote {save_figure(draw_sweep(sweep(forms, options.runs), forms), options.figure)}")
        return
    results = []
    for name in options.only:
        work = WORKS[name]
        results.append(measure(work, forms_of(work, options.threads, peers_of(work)), options.runs))
        print("\n" + report(results[-1]), flush=True)
    sampling = sampling_seconds(options.runs) if "maml-1" in options.only else None
    print("\n" + summary(results, sampling))
    if options.json:
        record = {"machine": facts, "runs": options.runs, "steps": results, "sampling_s": sampling}
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(f"\nwrote {options.json}")


if __name__ == "__main__":
    main()
