"""What boto3 makes of the lab's security groups: a whole life of rules, and every refusal by its code."""

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

settings = Config(retries={"max_attempts": 1})
ec2 = boto3.client("ec2", config=settings)


def refused(code, call, **arguments):
    try:
        answer = call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        assert error.response["Error"]["Message"], error
        return
    raise AssertionError(f"{code} expected: {answer}")


groups = ec2.describe_security_groups()["SecurityGroups"]
assert groups, "every node has one"
group = groups[0]
assert group == ec2.describe_security_groups(GroupIds=[group["GroupId"]])["SecurityGroups"][0]
assert group["GroupId"].startswith("sg-") and len(group["GroupId"]) == 20, group
everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
assert [{k: v for k, v in p.items() if v} for p in group["IpPermissionsEgress"]] == [everything], group
assert group["IpPermissions"] == [] and {"Key": "Name", "Value": group["GroupName"]} in group["Tags"], group


def egress():
    (now,) = ec2.describe_security_groups(
        Filters=[{"Name": "tag:Name", "Values": [group["GroupName"][:-1] + "?"]}, {"Name": "group-id", "Values": [group["GroupId"]]}]
    )["SecurityGroups"]
    return {
        (p["IpProtocol"], p.get("FromPort"), p.get("ToPort"), r["CidrIp"], r.get("Description"))
        for p in now["IpPermissionsEgress"]
        for r in p["IpRanges"]
    }


one = {
    "IpProtocol": "tcp",
    "FromPort": 443,
    "ToPort": 443,
    "IpRanges": [{"CidrIp": "10.20.30.40/32", "Description": "<the registry & co>"[1:13]}],
}
change = {"GroupId": group["GroupId"], "IpPermissions": [one]}
refused("DryRunOperation", ec2.authorize_security_group_egress, DryRun=True, **change)
assert len(egress()) == 1
added = ec2.authorize_security_group_egress(**change)
assert added["Return"] is True, added
(rule,) = added["SecurityGroupRules"]
assert (rule["CidrIpv4"], rule["FromPort"], rule["IsEgress"]) == ("10.20.30.40/32", 443, True), rule
assert ("tcp", 443, 443, "10.20.30.40/32", "the registry") in egress(), egress()
refused("InvalidPermission.Duplicate", ec2.authorize_security_group_egress, **change)
listed = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group["GroupId"]]}])
assert rule["SecurityGroupRuleId"] in [r["SecurityGroupRuleId"] for r in listed["SecurityGroupRules"]], listed
(same,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])["SecurityGroupRules"]
assert same == rule, (same, rule)

everything = {"GroupId": group["GroupId"], "IpPermissions": [everything]}
assert ec2.revoke_security_group_egress(**everything)["Return"] is True
assert egress() == {("tcp", 443, 443, "10.20.30.40/32", "the registry")}, egress()
refused("InvalidPermission.NotFound", ec2.revoke_security_group_egress, **everything)
assert ec2.authorize_security_group_egress(**everything)["Return"] is True
assert ec2.revoke_security_group_egress(**change)["Return"] is True
assert egress() == {("-1", None, None, "0.0.0.0/0", None)}, egress()

refused("InvalidGroup.NotFound", ec2.describe_security_groups, GroupIds=["sg-0123456789abcdef0"])
refused("InvalidGroup.NotFound", ec2.authorize_security_group_egress, **{**change, "GroupId": "sg-0123456789abcdef0"})
refused("InvalidGroupId.Malformed", ec2.describe_security_groups, GroupIds=["nodes"])
refused("InvalidParameterValue", ec2.describe_security_groups, Filters=[{"Name": "colour", "Values": ["red"]}])
refused("UnauthorizedOperation", ec2.create_security_group, GroupName="mine", Description="mine")
refused("UnauthorizedOperation", ec2.authorize_security_group_ingress, **change)
refused("InvalidAction", ec2.describe_volumes)
for wrong in ({"aws_secret_access_key": "wrong"}, {"aws_access_key_id": "AKIAUNKNOWN"}):
    keys = {"aws_access_key_id": "AKIAPULLDRILLEXAMPLE", "aws_secret_access_key": "not-a-secret", **wrong}
    stranger = boto3.client("ec2", config=settings, **keys)
    refused("AuthFailure", stranger.describe_security_groups)

# What is left is a rule that allows everything and one that would forbid it: the command takes both away.
import json
import os
import subprocess

pulldrill = ["pulldrill", "node", "egress"]
left = json.loads(subprocess.check_output([*pulldrill, "list", "-o", "json"]))
for name in sorted({rule["id"] for rule in left}):
    subprocess.check_call([*pulldrill, "delete", name], stdout=subprocess.DEVNULL)
assert egress() == {("-1", None, None, "0.0.0.0/0", None)}, egress()
print("done")
