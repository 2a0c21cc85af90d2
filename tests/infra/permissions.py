"""Holds the policies of infra/iam against what AWS publishes of its actions, as parliament has it: no unknown action or
condition, no resource that does not fit, no `*` where there is something narrower.

Reads {file: policy} from stdin, prints a line for each problem, and nothing when all is right."""

import json
import re
import sys

from parliament import analyze_policy_string

VALUES = {
    "Partition": "aws",
    "Region": "eu-west-1",
    "Account": "123456789012",
    "Stack": "bastiond",
    "Name": "bastiond",
    "Cluster": "bastiond",
    "Repository": "bastiond",
    "PullThroughPrefix": "bastiond-ecr-public",
    "KmsKey": "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef",
    "TaskRole": "arn:aws:iam::123456789012:role/bastiond-task",
    "ExecutionRole": "arn:aws:iam::123456789012:role/bastiond-execution",
    "NodeRole": "arn:aws:iam::123456789012:role/bastiond-node",
}
# Where parliament's tables are older than the service's own documentation, and the one `*` that cannot be narrower.
EXCEPTIONS = [
    # Session Manager's sample policies name sessions.
    ("RESOURCE_MISMATCH", "ssmmessages:OpenDataChannel"),
    ("UNKNOWN_CONDITION_FOR_ACTION", "ssm:SessionDocumentAccessCheck"),
    ("RESOURCE_MISMATCH", "redshift:DescribeClusters"),
    # AWS has them by resource in the Service Authorization Reference of today.
    ("RESOURCE_MISMATCH", "logs:DescribeLogGroups"),
    ("RESOURCE_MISMATCH", "servicequotas:GetServiceQuota"),
    ("RESOURCE_MISMATCH", "ecr:BatchImportUpstreamImage"),
    # Its resource is a container instance, which Fargate does not have: the condition on the cluster narrows it.
    ("RESOURCE_STAR", "ecs:ListTasks"),
]


def filled(policy):
    return re.sub(r"\$\{(\w+)\}", lambda found: VALUES[found[1]], json.dumps(policy))


def items(detail):
    return detail if isinstance(detail, list) else [detail]


def is_known(issue, item):
    return any(issue == known and name in str(item) for known, name in EXCEPTIONS)


for file, policy in json.load(sys.stdin).items():
    for finding in analyze_policy_string(filled(policy)).findings:
        for item in items(finding.detail):
            if not is_known(finding.issue, item):
                print(f"{file}: {finding.issue}: {item}")
