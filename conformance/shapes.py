"""A validator of answers against botocore's models.

botocore's own parser takes what it knows and drops the rest, so a member that AWS does not have, a
string where AWS has a number, or an enum value that AWS never sends would pass unseen. This one reads
the raw body.
"""

import json
import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import parse_qs

import botocore.session

from always import ALWAYS

SERVICES = ("ecs", "elbv2", "ecr", "sts", "logs", "application-autoscaling")
# boto3 speaks another protocol with it than the sandbox, which has the oldest one.
QUERY_TOO = ("cloudwatch",)
# Of these only what `doctor` reads is there.
READ = ("iam", "secretsmanager", "ssm", "ec2")

# What AWS answers without modelling it per operation, with its statuses.
COMMON_ERRORS = {
    "json": {
        "AccessDeniedException": (400, 403),
        "ExpiredTokenException": (400, 403),
        "SerializationException": (400,),
        "ServiceUnavailableException": (503,),
        "ThrottlingException": (400,),
        "UnknownOperationException": (400,),
        "ValidationException": (400,),
    },
    "query": {
        "AccessDenied": (403,),
        "ExpiredToken": (403,),
        "InternalFailure": (500,),
        "InvalidAction": (400,),
        "MalformedInput": (400,),
        "ServiceUnavailable": (503,),
        "Throttling": (400,),
        "ValidationError": (400,),
    },
}

_session = botocore.session.Session()
MODELS = {name: _session.get_service_model(name) for name in SERVICES + QUERY_TOO + READ}
_BY_TARGET = {
    model.metadata["targetPrefix"]: name
    for name, model in MODELS.items()
    if "targetPrefix" in model.metadata
}
_BY_VERSION = {
    model.metadata["apiVersion"]: name
    for name, model in MODELS.items()
    if model.metadata["protocol"] in ("query", "ec2") or name in QUERY_TOO
}

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _is_query(service):
    return service in QUERY_TOO or MODELS[service].metadata["protocol"] == "query"


def called(headers, body):
    """Which operation of which service a request is for, or None."""
    target = headers.get("x-amz-target")
    if target:
        prefix, _, operation = target.rpartition(".")
        service = _BY_TARGET.get(prefix)
    else:
        form = parse_qs(body.decode("utf-8", "replace"))
        operation = form.get("Action", [""])[0]
        service = _BY_VERSION.get(form.get("Version", [""])[0])
    if service is None or operation not in MODELS[service].operation_names:
        return None
    return service, operation


def check(service, operation, status, headers, body):
    """What is wrong with an answer: a list of lines."""
    model = MODELS[service].operation_model(operation)
    if MODELS[service].metadata["protocol"] == "ec2":
        # A protocol of its own, which no other service has.
        return []
    query = _is_query(service)
    problems = _query(model, status, headers, body) if query else _json(model, status, headers, body)
    return [f"{service}.{operation}: {problem}" for problem in problems]


def error_code(service, body):
    """The code of a refusal, as it stands on the wire."""
    if _is_query(service):
        return ElementTree.fromstring(body).findtext("{*}Error/{*}Code")
    return json.loads(body).get("__type", "").rpartition("#")[2]


# JSON 1.1


def _json(model, status, headers, body):
    if not headers.get("content-type", "").startswith("application/x-amz-json-1.1"):
        yield f"content type {headers.get('content-type')}"
    if not _UUID.fullmatch(headers.get("x-amzn-requestid", "")):
        yield f"request id {headers.get('x-amzn-requestid')}"
    try:
        value = json.loads(body)
    except ValueError as error:
        yield f"no JSON: {error}"
        return
    if status != 200:
        yield from _error(model, "json", value.get("__type", ""), status)
        unknown = set(value) - {"__type", "message", "Message"}
        shape = next(
            (one for one in model.error_shapes if one.name == value.get("__type")), None
        )
        for member in sorted(unknown - set(shape.members if shape else ())):
            yield f"unknown member {member} in an error"
        return
    if model.output_shape is None:
        if value != {}:
            yield "an operation without output answers"
        return
    yield from _value(model.output_shape, value, "")
    yield from _missing(model, value)


def _value(shape, value, path):
    kind = shape.type_name
    if kind == "structure" and getattr(shape, "is_document_type", False):
        return
    if kind == "structure" and isinstance(value, dict):
        for name, inner in value.items():
            if name not in shape.members:
                yield f"unknown member {path}.{name}"
            else:
                yield from _value(shape.members[name], inner, f"{path}.{name}")
        for name in shape.required_members:
            if name not in value:
                yield f"required member {path}.{name} is missing"
    elif kind == "list" and isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _value(shape.member, inner, f"{path}[{at}]")
    elif kind == "map" and isinstance(value, dict):
        for key, inner in value.items():
            yield from _value(shape.key, key, f"{path}{{{key}}}")
            yield from _value(shape.value, inner, f"{path}{{{key}}}")
    elif kind == "string" and isinstance(value, str):
        yield from _enum(shape, value, path)
    elif kind == "boolean" and isinstance(value, bool):
        pass
    elif kind in ("integer", "long") and isinstance(value, int) and not isinstance(value, bool):
        pass
    elif (
        kind in ("float", "double", "timestamp")
        and isinstance(value, (int, float))
        and not isinstance(value, bool)
    ):
        pass
    elif kind == "blob" and isinstance(value, str):
        pass
    else:
        yield f"{path} is {json.dumps(value)[:60]}, not a {kind}"


def _enum(shape, value, path):
    if shape.enum and value not in shape.enum:
        yield f"{path}: {value} is none of {', '.join(shape.enum)}"


def _error(model, protocol, code, status):
    shape = next(
        (one for one in model.error_shapes if one.metadata.get("error", {}).get("code", one.name) == code),
        None,
    )
    if shape is None and code not in COMMON_ERRORS[protocol]:
        yield f"{code} is no error of this operation"
    want = COMMON_ERRORS[protocol].get(code, (400,))
    if shape is not None and code not in COMMON_ERRORS[protocol]:
        own = shape.metadata.get("error", {}).get("httpStatusCode", 400)
        want = (500,) if shape._shape_model.get("fault") else (own,)
    if status not in want:
        yield f"{code} with status {status}, not {want}"


# query and XML


def _query(model, status, headers, body):
    if not headers.get("content-type", "").startswith("text/xml"):
        yield f"content type {headers.get('content-type')}"
    namespace = model.service_model.metadata["xmlNamespace"]
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        yield f"no XML: {error}"
        return
    want = f"{model.name}Response" if status == 200 else "ErrorResponse"
    if root.tag != f"{{{namespace}}}{want}":
        yield f"root {root.tag}, not {want} of {namespace}"
    at = "{*}ResponseMetadata/{*}RequestId" if status == 200 else "{*}RequestId"
    if not _UUID.fullmatch(root.findtext(at) or ""):
        yield f"request id {root.findtext(at)}"
    if status != 200:
        error = root.find("{*}Error")
        if error is None:
            yield "no Error"
            return
        names = [_name(one) for one in error]
        if names != ["Type", "Code", "Message"]:
            yield f"an error of {names}"
        yield from _error(model, "query", error.findtext("{*}Code"), status)
        return
    names = [_name(one) for one in root]
    if names != [f"{model.name}Result", "ResponseMetadata"]:
        yield f"an answer of {names}"
        return
    if model.output_shape is None:
        return
    problems = []
    value = _element(model.output_shape, root[0], "", problems)
    yield from problems
    yield from _missing(model, value)


def _name(element):
    return element.tag.rpartition("}")[2]


def _element(shape, element, path, problems):
    kind = shape.type_name
    if kind == "structure":
        value = {}
        for inner in element:
            name = _name(inner)
            if name not in shape.members:
                problems.append(f"unknown member {path}.{name}")
            elif name in value:
                problems.append(f"{path}.{name} stands there twice")
            else:
                value[name] = _element(shape.members[name], inner, f"{path}.{name}", problems)
        for name in shape.required_members:
            if name not in value:
                problems.append(f"required member {path}.{name} is missing")
        if (element.text or "").strip():
            problems.append(f"{path} is {element.text}, not a structure")
        return value
    if kind == "list":
        for inner in element:
            if _name(inner) != "member":
                problems.append(f"{path} has {_name(inner)} where a member belongs")
        if (element.text or "").strip():
            problems.append(f"{path} is {element.text}, not a list")
        return [
            _element(shape.member, inner, f"{path}[{at}]", problems)
            for at, inner in enumerate(element)
        ]
    if kind == "map":
        return _entries(shape, element, path, problems)
    text = element.text or ""
    if len(element):
        problems.append(f"{path} is a structure, not a {kind}")
    forms = {"boolean": "true|false", "integer": "-?[0-9]+", "long": "-?[0-9]+"}
    if kind in forms and not re.fullmatch(forms[kind], text):
        problems.append(f"{path} is {text!r}, not a {kind}")
    if kind == "timestamp" and not _ISO.fullmatch(text):
        problems.append(f"{path} is {text!r}, not a timestamp")
    if kind == "string":
        problems.extend(_enum(shape, text, path))
    return text


def _entries(shape, element, path, problems):
    value = {}
    for at, entry in enumerate(element):
        names = [_name(one) for one in entry]
        if _name(entry) != "entry" or names != ["key", "value"]:
            problems.append(f"{path} has {_name(entry)} of {names} where an entry belongs")
            continue
        key = _element(shape.key, entry[0], f"{path}.entry[{at}].key", problems)
        value[key] = _element(shape.value, entry[1], f"{path}{{{key}}}", problems)
    return value


# What is always there


def _missing(model, value):
    operation = (model.service_model.service_name, model.name)
    for path in ALWAYS.get(operation, "").split():
        yield from _absent(value, path.split("."), path)


def _absent(value, steps, path):
    if not steps:
        return
    name = steps[0].removesuffix("[]")
    if name not in value:
        yield f"{path} is missing (at {name})"
    elif steps[0].endswith("[]"):
        for inner in value[name]:
            yield from _absent(inner, steps[1:], path)
    else:
        yield from _absent(value[name], steps[1:], path)
