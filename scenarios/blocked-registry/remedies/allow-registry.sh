#!/bin/sh
# title: Allow the registry's address
set -eu
pulldrill node egress allow {{ address }}/32 --port 443
