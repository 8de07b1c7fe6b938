#!/bin/sh
# title: Allow a port that nobody listens on
set -eu
pulldrill node egress allow {{ address }}/32 --port 80
