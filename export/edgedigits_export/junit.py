"""A validation as a JUnit file: a test case for each gate of each model, so that CI systems show them."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

from edgedigits_export.validate import Comparison, Validation
from edgedigits_export.validate_strips import StripValidation


def junit(validation: Validation) -> bytes:
    """Return the XML file. Gates that are switched off or were not measured are `skipped`."""
    gates = dataclasses.asdict(validation.gates)
    cases = [(c, name, limit) for c in validation.comparisons for name, limit in gates.items()]
    suite = ElementTree.Element("testsuite", name=f"edgedigits-export validate {validation.pictures}")
    failed = skipped = 0
    for comparison, name, limit in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=comparison.model.name, name=name)
        lines = [failure.line for failure in comparison.failures if failure.gate == name]
        if limit is None or not _measured(comparison, name):
            ElementTree.SubElement(case, "skipped", message="off" if limit is None else "not measured")
            skipped += 1
        elif lines:
            ElementTree.SubElement(case, "failure", message=lines[0]).text = "\n".join(lines)
            failed += 1
    suite.attrib.update(tests=str(len(cases)), failures=str(failed), skipped=str(skipped), errors="0")
    ElementTree.indent(suite)
    whole: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return whole + b"\n"


def _measured(comparison: Comparison, gate: str) -> bool:
    if gate in ("min_sqnr", "max_saturated"):
        return bool(comparison.tensors)
    return gate != "max_corrupted_drop" or bool(comparison.corrupted)


def strip_junit(validation: StripValidation) -> bytes:
    """Return the XML file of a validation of models for strips, a test case for each gate on each set."""
    gates = dataclasses.asdict(validation.gates)
    suite = ElementTree.Element("testsuite", name="edgedigits-export validate, strips")
    count = failed = skipped = 0
    for one in validation.sets:
        for comparison in one.comparisons:
            for name, limit in gates.items():
                place = f"{comparison.model.name} {one.strips}"
                case = ElementTree.SubElement(suite, "testcase", classname=place, name=name)
                lines = [failure.line for failure in comparison.failures if failure.gate == name]
                count += 1
                if limit is None:
                    ElementTree.SubElement(case, "skipped", message="off")
                    skipped += 1
                elif lines:
                    ElementTree.SubElement(case, "failure", message=lines[0]).text = "\n".join(lines)
                    failed += 1
    suite.attrib.update(tests=str(count), failures=str(failed), skipped=str(skipped), errors="0")
    ElementTree.indent(suite)
    whole: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return whole + b"\n"
