#!/bin/bash
# called with: --export=ALL,EXTRA=more
echo "$FROM_CALLER/$EXTRA"
