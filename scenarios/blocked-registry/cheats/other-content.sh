#!/bin/sh
# title: Put another image under the wanted tag, with the way open
set -eu
pulldrill image copy {{ host }}/{{ team }}-reports:3.1 {{ host }}/{{ app }}:{{ wanted }}
pulldrill node egress allow {{ address }}/32 --port 443
