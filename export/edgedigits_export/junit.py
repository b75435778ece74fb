"""A validation as a JUnit file: a test case for each gate of each model, so that CI systems show them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from xml.etree import ElementTree

from edgedigits_export.gates import Gates, StripGates
from edgedigits_export.validate import Comparison, Validation
from edgedigits_export.validate_strips import StripComparison, StripValidation


def junit(validation: Validation) -> bytes:
    """Return the XML file. Gates that are switched off or were not measured are `skipped`."""
    named = ((comparison.model.name, comparison) for comparison in validation.comparisons)
    return _file(f"edgedigits-export validate {validation.pictures}", named, validation.gates)


def strip_junit(validation: StripValidation) -> bytes:
    """Return the XML file of a validation of models for strips, a test case for each gate on each set.

    Gates are `skipped` as in `junit`.
    """
    named = (
        (f"{comparison.model.name} {one.strips}", comparison)
        for one in validation.sets
        for comparison in one.comparisons
    )
    return _file("edgedigits-export validate, strips", named, validation.gates)


def _file(
    name: str, named: Iterable[tuple[str, Comparison | StripComparison]], gates: Gates | StripGates
) -> bytes:
    suite = ElementTree.Element("testsuite", name=name)
    count = failed = skipped = 0
    for place, comparison in named:
        for gate, limit in dataclasses.asdict(gates).items():
            case = ElementTree.SubElement(suite, "testcase", classname=place, name=gate)
            lines = [failure.line for failure in comparison.failures if failure.gate == gate]
            count += 1
            if limit is None or not _measured(comparison, gate):
                ElementTree.SubElement(case, "skipped", message="off" if limit is None else "not measured")
                skipped += 1
            elif lines:
                ElementTree.SubElement(case, "failure", message=lines[0]).text = "\n".join(lines)
                failed += 1
    suite.attrib.update(tests=str(count), failures=str(failed), skipped=str(skipped), errors="0")
    ElementTree.indent(suite)
    whole: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return whole + b"\n"


def _measured(comparison: Comparison | StripComparison, gate: str) -> bool:
    if gate in ("min_sqnr", "max_saturated"):
        return isinstance(comparison, Comparison) and bool(comparison.tensors)
    return gate != "max_corrupted_drop" or bool(comparison.corrupted)
