#!/bin/sh
# title: Publish another image under the tag that was meant
set -eu
pulldrill image copy {{ host }}/{{ team }}-docs:{{ wanted }} {{ host }}/{{ app }}:{{ wanted }}
