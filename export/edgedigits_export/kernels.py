"""A model on TFLite's plain kernels, without XNNPACK's."""

from __future__ import annotations

from typing import Any

from edgedigits.quiet import quiet


def plain_interpreter(body: bytes, *, keep: bool = False) -> Any:
    """Return an interpreter of a model proper on the reference kernels, its tensors allocated.

    `keep` preserves what every operation gives. An operation for which there is no reference kernel (ELU is
    one) runs on the other plain ones; they give nonsense for int4 weights, so they are the second choice.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    def build(kind: OpResolverType) -> Any:
        with quiet(b"INFO:"):
            interpreter = Interpreter(
                model_content=body,
                experimental_op_resolver_type=kind,
                experimental_preserve_all_tensors=keep,
                num_threads=1,
            )
            interpreter.allocate_tensors()
        return interpreter

    try:
        return build(OpResolverType.BUILTIN_REF)
    except ValueError:
        return build(OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
