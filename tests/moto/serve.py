"""moto's server, less some of its mistakes with CloudFormation.

AWS::NoValue is taken out of lists; moto leaves a None there. Outputs and parameters are those of the change set that was
carried out; moto keeps those of before. A parameter that is a list has commas; moto prints a list of Python. What is told
to be its default is no change. Each resource has its name.

It serves the socket that is its standard input."""

from moto import server
from moto.cloudformation import parsing
from moto.cloudformation.models import CloudFormationBackend, Stack
from werkzeug.serving import make_server

keeps_none = parsing.clean_json
keeps_before = CloudFormationBackend.execute_change_set
prints_lists = Stack.parameter_list.fget
lacks_names = Stack.stack_resources.fget


def clean_json(node, resources):
    cleaned = keeps_none(node, resources)
    if isinstance(cleaned, list):
        return [item for item in cleaned if item is not None]
    return cleaned


def execute_change_set(self, change_set_name, stack_name=None):
    keeps_before(self, change_set_name, stack_name)
    change_set = self.describe_change_set(change_set_name)
    stack = self.stacks[change_set.stack_id]
    stack.parameters = change_set.parameters
    stack._parse_template()
    stack.output_map = stack._create_output_map()


def parameter_list(self):
    pairs = prints_lists(self)
    for pair in pairs:
        if isinstance(pair["ParameterValue"], list):
            pair["ParameterValue"] = ",".join(pair["ParameterValue"])
    return pairs


def has_parameters(self, other_parameters):
    told = {pair["ParameterKey"]: str(pair["ParameterValue"]) for pair in parameter_list(self)}
    return all(told.get(name) == value for name, value in other_parameters.items())


def stack_resources(self):
    for name in self.resource_map.resources:
        resource = self.resource_map.get(name)
        if resource is not None:
            resource.logical_resource_id = name
    return [it for it in lacks_names(self) if getattr(it, "logical_resource_id", None)]


def serve(host, port, application, request_handler=None, **rest):
    made = make_server(host, port, application, threaded=True, request_handler=request_handler, fd=0)
    made.serve_forever()


parsing.clean_json = clean_json
CloudFormationBackend.execute_change_set = execute_change_set
Stack.has_parameters = has_parameters
Stack.parameter_list = property(parameter_list)
Stack.stack_resources = property(stack_resources)
server.run_simple = serve
server.main([])
