#!/bin/bash
for i in 1 2 3; do (sleep 0.2; echo "$i" >"child.$i") & done
wait
cat child.*
