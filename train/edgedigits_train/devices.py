"""Where a run is computed: one device, several GPUs of one host, or several hosts.

Several hosts are told of each other by the environment variable TF_CONFIG, as TensorFlow defines it
(https://www.tensorflow.org/guide/distributed_training#TF_CONFIG): the same command is started on each,
with the same `--out` on a folder they share. The first worker writes; all of them read.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
from collections.abc import Iterator

import tensorflow as tf

from edgedigits.errors import EdgeDigitsError
from edgedigits_train.recipe import Mlp, Recipe

SMALL_STEP = 1_000_000
"""Multiplications that a batch takes on its way through the network: with no more, one thread is the fastest.

784-30-10 in batches of ten takes 0.24 million: two threads, told and awaited at every operation, take 1.6 to
2 times the processor's time, and as much more of ours where the second processor is busy.
"""


class DeviceError(EdgeDigitsError):
    """Devices or hosts that can't work together."""


def settle_threads(recipe: Recipe, pixels: int, classes: int) -> None:
    """Leave small steps to one thread of this process; to be called before anything is computed.

    Whoever sets the number of threads is obeyed, and once TensorFlow is at work nothing is changed.
    """
    threading = tf.config.threading
    told = threading.get_intra_op_parallelism_threads() or os.environ.get("TF_NUM_INTRAOP_THREADS")
    if not isinstance(recipe.network, Mlp) or told:
        return
    weights = sum(a * b for a, b in itertools.pairwise((pixels, *recipe.network.hidden, classes)))
    if recipe.training.batch * weights <= SMALL_STEP:
        with contextlib.suppress(RuntimeError):  # TensorFlow is at work, as it may be in a notebook
            threading.set_intra_op_parallelism_threads(1)


@functools.cache
def choose() -> tf.distribute.Strategy:
    """Return TensorFlow's strategy for what this process finds; the same one at every call.

    Raises `DeviceError` where TF_CONFIG makes no sense. To be called before anything is computed: that is
    when TensorFlow sets up what workers talk through.
    """
    if _workers() > 1:
        # Ring: the one that CPUs and GPUs both have.
        ring = tf.distribute.experimental.CommunicationImplementation.RING
        options = tf.distribute.experimental.CommunicationOptions(implementation=ring)
        try:
            return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
        except (ValueError, RuntimeError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            raise DeviceError(
                f"TF_CONFIG: the workers can't be joined ({reason}); check the addresses"
            ) from error
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def _workers() -> int:
    """Return how many workers TF_CONFIG names; 1 without it."""
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        return 1
    try:
        config = json.loads(text)
        workers = [address for kind in ("chief", "worker") for address in config["cluster"].get(kind, [])]
        kind, index = config["task"]["type"], config["task"]["index"]
        if config["cluster"][kind][index] not in workers:
            raise ValueError(f"the task {kind} {index} is no worker")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise DeviceError(
            f"TF_CONFIG: not understood ({type(error).__name__}: {error}); it is a JSON object with cluster "
            "(worker: list of host:port) and task (type, index)"
        ) from error
    return len(workers)


@contextlib.contextmanager
def together(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Within it, losing one of several hosts is a `DeviceError`."""
    lost = (
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.UnavailableError,
    )
    try:
        yield
    except lost as error:
        if strategy.cluster_resolver is None:
            raise
        raise DeviceError(
            "a worker was lost; start the command again on every host, and the run goes on from the "
            "last checkpoint"
        ) from error


def is_first(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one of its strategy's workers that writes."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    # Without a chief among them, worker 0 is.
    has_chief = "chief" in resolver.cluster_spec().jobs
    return bool(resolver.task_type == "chief" or (not has_chief and resolver.task_id == 0))


def meet(strategy: tf.distribute.Strategy, number: int) -> int:
    """Wait for all workers, and return the sum of the numbers they came with."""
    if strategy.num_replicas_in_sync == 1:
        return number

    def add() -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.constant(number, tf.float64))

    total = strategy.experimental_local_results(strategy.run(tf.function(add)))[0]
    # Each worker's devices all brought its number.
    local = len(strategy.extended.worker_devices)
    return round(float(total) / local)
