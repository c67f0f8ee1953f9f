#!/bin/bash
# called with: -- one "two words" "" {task} $HOME
echo "$#:"
printf "<%s>" "$@"
echo
