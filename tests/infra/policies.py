"""Prints the policies that the templates make, as JSON: their functions worked out, with the placeholders of infra/iam.

The templates are read by cfn-lint. What is switched on is what infra/iam has: everything."""

import json
import re
import sys
from pathlib import Path

from cfnlint.decode import cfn_yaml

PARAMETERS = {
    "AWS::Partition": "${Partition}",
    "AWS::Region": "${Region}",
    "AWS::AccountId": "${Account}",
    "AWS::StackName": "${Stack}",
    "Name": "${Name}",
    "ExistingClusterName": "${Cluster}",
    "RepositoryName": "${Repository}",
    "KmsKeyArn": "${KmsKey}",
    "PullThroughPrefix": "${PullThroughPrefix}",
    "ImageSource": "pull-through-cache",
    "ServiceMode": "true",
    "CreateRestrictedDocument": "true",
    "OperatorShell": "true",
}
ATTRIBUTES = {"TaskRole": "${TaskRole}", "ExecutionRole": "${ExecutionRole}", "NodeRole": "${NodeRole}"}


class Template:
    def __init__(self, path):
        self.whole = cfn_yaml.load(str(path))

    def parameter(self, name):
        return PARAMETERS.get(name, self.whole["Parameters"].get(name, {}).get("Default"))

    def holds(self, condition):
        (name, inner), = condition.items() if isinstance(condition, dict) else [("Condition", condition)]
        if name == "Condition":
            return self.holds(self.whole["Conditions"][inner])
        if name == "Fn::Equals":
            left, right = (self.value(side) for side in inner)
            return str(left) == str(right)
        parts = [self.holds(part) for part in inner]
        return {"Fn::Not": not parts[0], "Fn::And": all(parts), "Fn::Or": any(parts)}[name]

    def value(self, node):
        if isinstance(node, list):
            values = [self.value(item) for item in node]
            return [value for value in values if value is not None]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, inner), = node.items()
            if name == "Ref":
                return None if inner == "AWS::NoValue" else self.parameter(inner)
            if name == "Fn::GetAtt":
                resource = inner.split(".")[0] if isinstance(inner, str) else inner[0]
                return ATTRIBUTES[resource]
            if name == "Fn::If":
                condition, yes, no = inner
                return self.value(yes if self.holds(condition) else no)
            if name == "Fn::Sub":
                return self.filled(inner)
        return {key: self.value(item) for key, item in node.items()}

    def filled(self, inner):
        text, own = inner if isinstance(inner, list) else (inner, {})
        names = {name: self.value(item) for name, item in own.items()}
        one = lambda found: names.get(found[1]) or self.parameter(found[1])
        return re.sub(r"\$\{([^!}][^}]*)\}", one, text)

    def policy(self, resource, *path):
        node = self.whole["Resources"][resource]["Properties"]
        for step in path:
            node = node[step]
        return self.value(node)


folder = Path(sys.argv[1])
template, hybrid = Template(folder / "bastion.yaml"), Template(folder / "hybrid/bastion.yaml")
INLINE = ("Policies", 0, "PolicyDocument")
print(json.dumps({
    "operator.json": template.policy("OperatorPolicy", "PolicyDocument"),
    "task-role.json": template.policy("TaskRole", *INLINE),
    "execution-role.json": template.policy("ExecutionRole", *INLINE),
    "hybrid-node-role.json": hybrid.policy("NodeRole", *INLINE),
    "hybrid-task-role.json": hybrid.policy("TaskRole", *INLINE),
    "hybrid-execution-role.json": hybrid.policy("ExecutionRole", *INLINE),
}, indent=2))
