"""moto's server, less one of its mistakes: CloudFormation takes AWS::NoValue out of lists, and moto leaves a None there."""

import sys

from moto.cloudformation import parsing
from moto.server import main

keeps_none = parsing.clean_json


def clean_json(node, resources):
    cleaned = keeps_none(node, resources)
    if isinstance(cleaned, list):
        return [item for item in cleaned if item is not None]
    return cleaned


parsing.clean_json = clean_json
main(sys.argv[1:])
