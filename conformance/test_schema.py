"""Every line of JSON that a transcript shows is what the committed schema says: `docs/json-schema/event.json`,
checked by a validator that others wrote."""

import json

from jsonschema import Draft202012Validator

from sandbox import ROOT

SCHEMA = json.loads((ROOT / "docs" / "json-schema" / "event.json").read_text())
TRANSCRIPTS = [*sorted((ROOT / "tests" / "cmd").glob("*.md")), ROOT / "README.md"]


def events():
    """The lines of JSON that tell of a deployment or a task: those with the time of their event."""
    for transcript in TRANSCRIPTS:
        for line in transcript.read_text().splitlines():
            if line.startswith("{") and '"elapsed_seconds"' in line:
                yield transcript.name, json.loads(line)


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


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
