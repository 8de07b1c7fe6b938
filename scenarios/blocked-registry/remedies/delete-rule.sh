#!/bin/sh
# title: Take the rule away on every node
set -eu
pulldrill node egress delete {{ rule }}
