"""Every line and every document of JSON that a transcript shows is what the committed schemas in `docs/json-schema/`
say, checked by a validator that others wrote."""

import json

from jsonschema import Draft202012Validator

from sandbox import ROOT

SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (ROOT / "docs" / "json-schema").glob("*.json")}
SCHEMA = SCHEMAS["event"]
# What only the documents of a command have.
KINDS = {"plan": "decision", "status": "services", "doctor": "findings", "history": "deployments"}
TRANSCRIPTS = [*sorted((ROOT / "tests" / "cmd").glob("*.md")), ROOT / "README.md"]


def events():
    """The lines of JSON that tell of a deployment or a task: those with the time of their event."""
    for transcript in TRANSCRIPTS:
        for line in transcript.read_text().splitlines():
            if line.startswith("{") and '"elapsed_seconds"' in line:
                yield transcript.name, json.loads(line)


def documents():
    """The documents: from a line `{` to the line `}`."""
    for transcript in TRANSCRIPTS:
        lines = transcript.read_text().splitlines()
        for begin in (number for number, line in enumerate(lines) if line == "{"):
            text = "\n".join(lines[begin : lines.index("}", begin) + 1])
            if "..." in text.splitlines():  # Cut short for the reader.
                continue
            document = json.loads(text.replace('/"', '\\"'))  # trycmd turns each backslash round.
            kind = next((kind for kind, member in KINDS.items() if member in document), None)
            if "schema" in document and kind:
                yield transcript.name, kind, document


def test_the_schemas_are_schemas():
    assert set(KINDS) | {"event"} == set(SCHEMAS)
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


def test_every_document_of_the_transcripts_fits_its_schema():
    seen = list(documents())
    for name, kind, document in seen:
        faults = [f"{fault.json_path}: {fault.message[:300]}" for fault in Draft202012Validator(SCHEMAS[kind]).iter_errors(document)]
        assert not faults, (name, kind, faults)
        lacking = {key: value for key, value in document.items() if key != KINDS[kind]}
        assert list(Draft202012Validator(SCHEMAS[kind]).iter_errors(lacking)), kind
    assert {kind for _, kind, _ in seen} == set(KINDS)


def test_every_line_of_the_transcripts_fits_the_schema():
    validator = Draft202012Validator(SCHEMA)
    seen = list(events())
    for name, event in seen:
        faults = [f"{fault.json_path}: {fault.message[:300]}" for fault in validator.iter_errors(event)]
        assert not faults, (name, event, faults)
    assert {"registered", "begun", "changed", "waiting", "outcome"} <= {event["event"] for _, event in seen}


def test_another_word_does_not_fit():
    _, event = next(events())
    assert list(Draft202012Validator(SCHEMA).iter_errors(event | {"event": "sung"}))
    assert list(Draft202012Validator(SCHEMA).iter_errors({key: event[key] for key in event if key != "schema"}))
