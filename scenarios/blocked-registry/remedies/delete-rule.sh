#!/bin/sh
# title: Take the rule away
set -eu
pulldrill node egress delete {{ rule }}
