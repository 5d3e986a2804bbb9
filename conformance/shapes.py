"""A validator of answers against botocore's models.

botocore's own parser takes what it knows and drops the rest, so a member that AWS does not have, a
string where AWS has a number, or an enum value that AWS never sends would pass unseen. This one reads
the raw body.
"""

import io
import json
import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import parse_qs

import botocore.session
from botocore.parsers import RpcV2CBORParser

from always import ALWAYS, MODELLED

SERVICES = tuple(MODELLED)

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
MODELS = {name: _session.get_service_model(name) for name in SERVICES}
_BY_TARGET = {
    model.metadata["targetPrefix"]: name
    for name, model in MODELS.items()
    if "targetPrefix" in model.metadata
}
_BY_VERSION = {
    model.metadata["apiVersion"]: name
    for name, model in MODELS.items()
    if {"query", "ec2"} & set(model.metadata["protocols"])
}

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def called(headers, body):
    """Which operation of which service a request is for, or None."""
    target = headers.get("x-amz-target")
    rpc = re.fullmatch(r".*/service/(\w+)/operation/(\w+)", headers.get(":path", ""))
    if rpc and headers.get("smithy-protocol") == "rpc-v2-cbor":
        service, operation = _BY_TARGET.get(rpc[1]), rpc[2]
    elif target:
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
    ways = {"query": _query, "ec2": _ec2, "json": _json, "smithy-rpc-v2-cbor": _cbor}
    problems = ways[_protocol(service, headers)](model, status, headers, body)
    return [f"{service}.{operation}: {problem}" for problem in problems]


def _protocol(service, headers):
    """In which of its protocols a service answers."""
    protocols = MODELS[service].metadata["protocols"]
    kind = headers.get("content-type", "")
    if kind.startswith("application/cbor") and "smithy-rpc-v2-cbor" in protocols:
        return "smithy-rpc-v2-cbor"
    if kind.startswith("text/xml"):
        return next((one for one in ("query", "ec2") if one in protocols), protocols[0])
    return "json" if "json" in protocols else protocols[0]


# JSON


def _json(model, status, headers, body):
    version = model.service_model.metadata["jsonVersion"]
    if not headers.get("content-type", "").startswith(f"application/x-amz-json-{version}"):
        yield f"content type {headers.get('content-type')}"
    if not _UUID.fullmatch(headers.get("x-amzn-requestid", "")):
        yield f"request id {headers.get('x-amzn-requestid')}"
    try:
        value = json.loads(body)
    except ValueError as error:
        yield f"no JSON: {error}"
        return
    yield from _typed(model, status, headers, value, (int, float))


class _Time(float):
    """A number that has the tag of a time."""


def _cbor(model, status, headers, body):
    """Smithy RPC v2. The bytes are read by botocore, which knows no tag but that of a time."""
    if headers.get("smithy-protocol") != "rpc-v2-cbor":
        yield f"protocol {headers.get('smithy-protocol')}"
    stream = io.BufferedReader(io.BytesIO(body))
    value = RpcV2CBORParser(timestamp_parser=_Time).parse_data_item(stream)
    if stream.read():
        yield "more than one value"
    yield from _typed(model, status, headers, value, _Time)


def _typed(model, status, headers, value, times):
    if status != 200:
        if model.service_model.is_query_compatible:
            yield from _compatible(model, status, headers, value)
            return
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
    yield from _value(model.output_shape, value, "", times)
    yield from _missing(model, value)


def _compatible(model, status, headers, value):
    """A refusal that says in a header what the query protocol would call it."""
    namespace, _, name = value.get("__type", "").partition("#")
    if not namespace.startswith("com.amazonaws."):
        yield f"an error without a namespace: {value.get('__type')}"
    shape = next((one for one in model.error_shapes if one.name == name), None)
    if shape is None:
        yield from _error(model, "json", name, status)
    code, _, side = headers.get("x-amzn-query-error", "").partition(";")
    own = shape.metadata["error"] if shape else {}
    if shape and (code, status) != (own["code"], own["httpStatusCode"]):
        yield f"{name} is {code} with status {status}"
    if name != "UnknownOperationException" and side != ("Sender" if status < 500 else "Receiver"):
        yield f"{name} is the fault of {side}"
    if set(value) != {"__type", "message"}:
        yield f"an error of {sorted(value)}"


def _value(shape, value, path, times=(int, float)):
    kind = shape.type_name
    if kind == "structure" and getattr(shape, "is_document_type", False):
        return
    if kind == "structure" and isinstance(value, dict):
        for name, inner in value.items():
            if name not in shape.members:
                yield f"unknown member {path}.{name}"
            else:
                yield from _value(shape.members[name], inner, f"{path}.{name}", times)
        for name in shape.required_members:
            if name not in value:
                yield f"required member {path}.{name} is missing"
    elif kind == "list" and isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _value(shape.member, inner, f"{path}[{at}]", times)
    elif kind == "map" and isinstance(value, dict):
        for key, inner in value.items():
            yield from _value(shape.key, key, f"{path}{{{key}}}")
            yield from _value(shape.value, inner, f"{path}{{{key}}}", times)
    elif kind == "string" and isinstance(value, str):
        yield from _enum(shape, value, path)
    elif kind == "boolean" and isinstance(value, bool):
        pass
    elif kind in ("integer", "long") and isinstance(value, int) and not isinstance(value, bool):
        pass
    elif kind in ("float", "double") and isinstance(value, (int, float)) and not isinstance(value, bool):
        pass
    elif kind == "timestamp" and isinstance(value, times) and not isinstance(value, bool):
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


# Amazon EC2


def _ec2(model, status, headers, body):
    root = ElementTree.fromstring(body)
    if status != 200:
        names = [_name(one) for one in root]
        if (root.tag, names) != ("Response", ["Errors", "RequestID"]):
            yield f"an error of {root.tag} with {names}"
        if [_name(one) for one in root.iterfind("Errors/Error/*")] != ["Code", "Message"]:
            yield "an error without code or message"
        return
    if root.tag != f"{{{model.service_model.metadata['xmlNamespace']}/}}{model.name}Response":
        yield f"root {root.tag}"
    if not _UUID.fullmatch(root.findtext("{*}requestId") or ""):
        yield f"request id {root.findtext('{*}requestId')}"
    problems = []
    value = _item(model.output_shape, [one for one in root if _name(one) != "requestId"], "", problems)
    yield from problems
    yield from _missing(model, value)


def _item(shape, element, path, problems):
    kind = shape.type_name
    if kind == "structure":
        names = {one.serialization.get("name", name): name for name, one in shape.members.items()}
        value = {}
        for inner in element:
            name = names.get(_name(inner))
            if name is None or name in value:
                problems.append(f"unknown member {path}.{_name(inner)}, or it stands there twice")
            else:
                value[name] = _item(shape.members[name], inner, f"{path}.{name}", problems)
        return value
    if kind == "list":
        if any(_name(inner) != "item" for inner in element):
            problems.append(f"{path} has other elements than items")
        return [_item(shape.member, inner, f"{path}[{at}]", problems) for at, inner in enumerate(element)]
    return _element(shape, element, path, problems)


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
