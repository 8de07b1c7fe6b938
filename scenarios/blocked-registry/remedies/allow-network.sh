#!/bin/sh
# title: Allow the registry's network
set -eu
pulldrill node egress allow {{ network }}
