"""Holds recorded requests against the API models of AWS that botocore has.

Reads a list of {service, operation, body} from stdin: a body is JSON, or a form of the Query protocol. Prints a line for
each thing that the models do not allow, and nothing when all is right."""

import json
import re
import sys
from urllib.parse import parse_qsl

from botocore.loaders import Loader
from botocore.model import ServiceModel

loader = Loader()


# Where botocore calls a service otherwise than signatures do; DocumentDB and Neptune are RDS in both.
OTHER_NAMES = {"servicequotas": "service-quotas", "es": "opensearch", "monitoring": "cloudwatch"}


def model_of(service):
    service = OTHER_NAMES.get(service, service)
    return ServiceModel(loader.load_service_model(service, "service-2"))


def checked(shape, value, path, problems):
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            return problems.append(f"{path}: {value!r} is no structure")
        for name in shape.required_members:
            if value.get(name) is None:
                problems.append(f"{path}: {name} is missing")
        for name, member in value.items():
            if name not in shape.members:
                problems.append(f"{path}: there is no member {name}")
            else:
                checked(shape.members[name], member, f"{path}.{name}", problems)
    elif kind == "list":
        if not isinstance(value, list):
            return problems.append(f"{path}: {value!r} is no list")
        limits(shape, len(value), path, problems)
        for index, member in enumerate(value):
            checked(shape.member, member, f"{path}[{index}]", problems)
    elif kind == "map":
        if not isinstance(value, dict):
            return problems.append(f"{path}: {value!r} is no map")
        limits(shape, len(value), path, problems)
        for key, member in value.items():
            checked(shape.key, key, f"{path} key", problems)
            checked(shape.value, member, f"{path}[{key}]", problems)
    elif kind == "string":
        if not isinstance(value, str):
            return problems.append(f"{path}: {value!r} is no string")
        limits(shape, len(value), path, problems)
        if shape.enum and value not in shape.enum:
            problems.append(f"{path}: {value!r} is none of {shape.enum}")
        pattern = shape.metadata.get("pattern")
        if pattern and not re.fullmatch(ported(pattern), value):
            problems.append(f"{path}: {value!r} does not match {pattern}")
    elif kind == "boolean":
        if not isinstance(value, bool):
            problems.append(f"{path}: {value!r} is no boolean")
    elif kind in ("integer", "long"):
        if not isinstance(value, int) or isinstance(value, bool):
            return problems.append(f"{path}: {value!r} is no number")
        limits(shape, value, path, problems)


def limits(shape, size, path, problems):
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least or most is not None and size > most:
        problems.append(f"{path}: {size} is not within {least} and {most}")


def ported(pattern):
    """Classes of Unicode that Python's expressions do not know."""
    return pattern.replace(r"\p{L}", "a-zA-Z").replace(r"\p{Z}", r"\s").replace(r"\p{N}", "0-9")


def wire_name(name, member, ec2):
    """What a member is called in a form: EC2 takes its name in answers with a capital, unless it has one for queries."""
    answers = member.serialization.get("name")
    if not ec2:
        return answers or name
    return member.serialization.get("queryName") or (answers and answers[0].upper() + answers[1:]) or name


def of_form(shape, pairs, ec2):
    """The value that a form of the Query protocol stands for."""
    if shape.type_name == "structure":
        value = {}
        for name, member in shape.members.items():
            wire = wire_name(name, member, ec2)
            inner = {key[len(wire):].lstrip("."): text for key, text in pairs.items()
                     if key == wire or key.startswith(wire + ".")}
            if inner:
                value[name] = of_form(member, inner, ec2)
        known = {wire_name(name, member, ec2) for name, member in shape.members.items()}
        for key in pairs:
            if key.split(".")[0] not in known:
                value[key] = pairs[key]
        return value
    if shape.type_name == "list":
        flat = ec2 or shape.serialization.get("flattened")
        prefix = "" if flat else shape.member.serialization.get("name", "member") + "."
        items = {}
        for key, text in pairs.items():
            if not key.startswith(prefix):
                return pairs
            index, _, rest = key[len(prefix):].partition(".")
            items.setdefault(int(index), {})[rest] = text
        return [of_form(shape.member, items[index], ec2) for index in sorted(items)]
    text = pairs.get("")
    if shape.type_name in ("integer", "long") and text is not None and text.lstrip("-").isdigit():
        return int(text)
    if shape.type_name == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def problems_of(record):
    service, operation, body = record["service"], record["operation"], record["body"]
    model = model_of(service)
    if operation not in model.operation_names:
        return [f"{service} has no operation {operation}"]
    shape = model.operation_model(operation).input_shape
    # CloudWatch speaks several.
    if model.protocol in ("query", "ec2") or "query" in model.metadata.get("protocols", []):
        pairs = dict(parse_qsl(body, keep_blank_values=True))
        version = pairs.pop("Version")
        pairs.pop("Action")
        if version != model.api_version:
            return [f"{service}: version {version} is not {model.api_version}"]
        value = of_form(shape, pairs, model.protocol == "ec2") if shape else pairs
    else:
        value = json.loads(body or "{}")
    problems = []
    if shape:
        checked(shape, value, operation, problems)
    elif value:
        problems.append(f"{operation} takes nothing")
    return problems


for record in json.load(sys.stdin):
    for problem in problems_of(record):
        print(problem)
