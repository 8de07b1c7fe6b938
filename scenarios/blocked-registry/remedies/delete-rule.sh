#!/bin/sh
# title: Take the rule away on every node
set -eu
for node in $(kubectl get nodes -o name | sed 's,node/,,'); do
  pulldrill node egress delete {{ rule }} --node "$node"
done
