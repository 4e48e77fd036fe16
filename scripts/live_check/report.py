"""The table of what was expected and what was found, without a single value."""

from collections.abc import Iterator, Sequence

from .questions import Answer
from .recorder import Record


def report(
    records: Sequence[Record], answers: Sequence[Answer], *, version: str, ended: str
) -> str:
    """Return the whole report; `ended` says why the look ended early, if it did."""
    return "\n".join(_lines(records, answers, version, ended)) + "\n"


def _lines(
    records: Sequence[Record], answers: Sequence[Answer], version: str, ended: str
) -> Iterator[str]:
    yield f"Plex Auth {version}: a look at the real Plex"
    yield "It names calls, status, fields and types, and no value of any field."
    yield ""
    for record in records:
        mark = "DIFFERENT" if record.differences else "ok"
        yield f"{mark:10}{record.call.title:52}{_status(record)}"
        for difference in record.differences:
            yield (
                f"{'':10}{difference.kind:8} {difference.path or 'the answer'}: "
                f"expected {difference.expected}, found {difference.found}"
            )
    yield ""
    for answer in answers:
        yield f"{answer.section:8}{answer.question} {answer.answer}"
    yield ""
    if ended:
        yield f"Ended early: {ended}"
    count = sum(len(record.differences) for record in records)
    yield f"{len(records)} calls, {count} differences"


def _status(record: Record) -> str:
    if not record.status:
        return "no answer"
    fields = f", {record.fields} kinds of fields as expected" if record.fields else ""
    return f"{record.status}{fields}"
