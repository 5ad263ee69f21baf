#!/bin/bash
# the commit protocol's model with more crashes and losses
exec tests/model/run --long
