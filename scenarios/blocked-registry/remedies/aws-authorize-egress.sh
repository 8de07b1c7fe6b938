#!/bin/sh
# title: Authorise the registry's address in every node's security group
# needs: aws
set -eu
. "$PULLDRILL_DIR/env.sh"
for group in $(aws ec2 describe-security-groups --query 'SecurityGroups[].GroupId' --output text); do
  aws ec2 authorize-security-group-egress --group-id "$group" --protocol tcp --port 443 --cidr {{ address }}/32
done
