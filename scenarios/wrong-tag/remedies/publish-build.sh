#!/bin/sh
# title: Publish the build that CI made under the tag that was meant
set -eu
pulldrill image copy {{ host }}/ci/{{ app }}:{{ wanted }}-build.{{ pipeline }} {{ host }}/{{ app }}:{{ wanted }}
