#!/bin/bash
set -o pipefail
false | cat
