#!/bin/sh

exec "$(dirname "$0")/run" op_outcome
